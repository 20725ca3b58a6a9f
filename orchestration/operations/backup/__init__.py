"""Copies in Parquet: a tenant's documents taken out and in, everything backed up and restored.

Read `folder` (what a copy is on disk), `tables` (its columns), `reading` (documents out of the stores), then
the four operations: `exporting`, `importing`, `backing_up`, `restoring`. They know stores and ledger by
contract alone, so a copy of one kind of store goes into another.
"""
