"""Source plugins: they enumerate documents and fetch their bytes (entry point group medkg.sources).

Comes in: a user's request, then the documents to fetch. Leaves: enumerated items, broken ones included, and
raw payloads. A plugin enumerates (files, pubmed); the origin of a record, `SourceItem.source`, comes from the
parser of its format, so a study has the same origin from the API and from a file. Formats are known only
through the parsers that assembly passes.
"""
