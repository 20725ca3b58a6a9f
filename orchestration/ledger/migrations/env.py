"""Alembic's environment: migrates the connection that `Database` hands over."""

from __future__ import annotations

from alembic import context

import orchestration.ledger.graph.tables
import orchestration.ledger.outbox.tables  # noqa: F401 - part of the metadata
from orchestration.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
