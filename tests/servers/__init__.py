"""Local HTTP servers that simulate web services, for tests that cross processes."""
