"""The id of a ledger: random, given when it is first asked for. A restored ledger is another one."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import insert, select

from orchestration.ledger.database import Database, lock
from orchestration.ledger.tables import ledger_identity

__all__ = ["ledger_id"]


def ledger_id(database: Database) -> str:
    """The id, 32 hexadecimal digits."""
    with database.reading() as connection:
        known = connection.execute(select(ledger_identity.c.identity)).scalar()
    if known is not None:
        return str(known)
    with database.writing() as connection:
        lock(connection, "identity")
        known = connection.execute(select(ledger_identity.c.identity)).scalar()
        if known is None:
            known = uuid4().hex
            connection.execute(insert(ledger_identity).values(identity=known))
    return str(known)
