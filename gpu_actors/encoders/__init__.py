"""Models behind one interface: token rows to dense vectors, term weights or scores."""
