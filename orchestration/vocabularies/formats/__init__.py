"""Formats of vocabularies: each reads a file into concepts, or names the file, the line and what is wrong."""
