"""Metrics: names and labels, counters from the facts of the ledger, gauges read when they are scraped.

Comes in: facts of the outbox, and readings of the ledger, the host and the machine. Leaves: one exposition.
"""
