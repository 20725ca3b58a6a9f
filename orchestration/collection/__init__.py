"""A tenant's visible chunks as a collection that Haystack reads and writes."""
