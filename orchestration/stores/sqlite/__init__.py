"""Stores in SQLite files of the data folder: chunks by words and sparse terms, parsed documents."""
