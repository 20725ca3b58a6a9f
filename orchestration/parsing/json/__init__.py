"""JSON for every parser of a JSON format.

Comes in: a stream, or a record. Leaves: the records of a file with their positions (`pieces`, `wrappers`,
`records`), and the values of a record, checked for their types (`fields`).
"""
