"""Lineage: the facts of the ledger as OpenLineage events of jobs, windows, stages and their datasets.

Comes in: facts of the outbox. Leaves: events at the OpenLineage transport that is configured.
"""
