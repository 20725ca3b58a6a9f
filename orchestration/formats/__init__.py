"""Formats that several rooms read: YAML with line numbers, SQLite in WAL mode, FTS5 queries, file kinds."""
