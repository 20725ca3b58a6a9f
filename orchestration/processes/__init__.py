"""Processes: how they start, end and exchange messages. Nothing here knows documents."""
