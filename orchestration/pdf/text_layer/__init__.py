"""A PDF's own characters as a converted document, by geometry alone."""
