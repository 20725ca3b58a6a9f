"""Bytes to documents: one module or room per format, each a Parser plugin (entry point group medkg.parsers).

Comes in: a file to find records in, or the raw payload of one record. Leaves: record locations with
content hashes, and Documents whose every offset points into their text. Nothing here does network or
disk I/O; whatever the bytes are, only errors of orchestration.errors are raised.
"""
