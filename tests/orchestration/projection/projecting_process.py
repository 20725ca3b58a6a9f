"""A process that projects a ledger and may kill itself: `python -m ... FOLDER TENANT PLACE COUNT`.

PLACE is where it dies (kill -9), at the COUNT-th time that it comes there: `statement`, before a statement of
a transaction; `commit`, before a transaction's commit; `committed`, after it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.projection import projector
from orchestration.stores.neo4j.connection import Transaction
from tests.orchestration.neo4j import SERVER
from tests.orchestration.projection.graph_ledger import GraphLedger


class Death:
    """Kills this process at the right place."""

    def __init__(self, place: str, count: int) -> None:
        self._place = place
        self._left = count

    def at(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    folder, tenant_id, place, count = sys.argv[1:]
    death = Death(place, int(count))
    from neo4j import AsyncTransaction

    commit, rows = AsyncTransaction.commit, Transaction.rows

    async def dying_commit(transaction: Any) -> None:
        death.at("commit")
        await commit(transaction)
        death.at("committed")

    async def dying_rows(transaction: Any, statement: str, **parameters: Any) -> Any:
        death.at("statement")
        return await rows(transaction, statement, **parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AsyncTransaction, "commit", dying_commit)
        patched.setattr(Transaction, "rows", dying_rows)
        patched.setattr(projector, "ROWS", 4)  # so that there are several transactions
        GraphLedger(Path(folder), tenant_id).project(SERVER)


if __name__ == "__main__":
    main()
