"""Alembic migrations of the ledger; applied when a ledger is opened."""
