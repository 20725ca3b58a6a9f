"""The ledger on SQLite passes the suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.ledger_suite import LEASE_SECONDS, Clock, LedgerSuite
from orchestration.ledger import SqlLedger, open_ledger
from tests.orchestration.ledger.accounts_from_events import AccountsFromEvents


class TestSqliteLedger(AccountsFromEvents, LedgerSuite):
    @pytest.fixture
    def ledger(self, tmp_path: Path, clock: Clock) -> Iterator[SqlLedger]:
        opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", LEASE_SECONDS, clock)
        yield opened
        opened.close()
