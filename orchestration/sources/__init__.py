"""Where documents come from; each source is a plugin (entry point group medkg.sources).

Comes in: what a user asked for, then which documents to fetch. Leaves: enumerated items, broken ones
included, and raw payloads. Formats are known only through the parsers that assembly hands in.
"""
