"""The ledger on SQLite passes the suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.ledger import Ledger, open_ledger
from tests.conformance.gate_suite import GateSuite
from tests.conformance.ledger_copies_suite import LedgerCopiesSuite
from tests.conformance.ledger_suite import LEASE_SECONDS, Clock, LedgerSuite


class TestSqliteLedger(LedgerSuite, GateSuite, LedgerCopiesSuite):
    @pytest.fixture
    def ledger(self, tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
        opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", LEASE_SECONDS, clock)
        yield opened
        opened.close()
