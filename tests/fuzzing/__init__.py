"""Fuzzing of parsers, PDF readers and topology files."""
