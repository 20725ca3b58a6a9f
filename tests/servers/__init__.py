"""Local HTTP servers with recorded-shape answers, for tests that cross processes."""
