"""What every Ledger promises, part by part; LedgerSuite is all of it.

A test module subclasses LedgerSuite and gives it a `ledger` fixture, whose leases last LEASE_SECONDS by the
`clock` fixture. Each module has the promises of one part of the ledger: `windows` those of `ledger.windows`.
`builders` arranges: submissions, items, claimed and committed windows.
"""

from __future__ import annotations

import pytest

from medkg.testing.ledger_suite.branches import BranchSuite
from medkg.testing.ledger_suite.builders import LEASE_SECONDS, Clock
from medkg.testing.ledger_suite.commits import CommitSuite
from medkg.testing.ledger_suite.copies import CopySuite
from medkg.testing.ledger_suite.dead_letters import DeadLetterSuite
from medkg.testing.ledger_suite.documents import DocumentSuite
from medkg.testing.ledger_suite.gates import GateSuite
from medkg.testing.ledger_suite.graph import GraphSuite
from medkg.testing.ledger_suite.graph_reading import GraphReadingSuite
from medkg.testing.ledger_suite.jobs import JobSuite
from medkg.testing.ledger_suite.monitoring import MonitoringSuite
from medkg.testing.ledger_suite.outbox import OutboxSuite
from medkg.testing.ledger_suite.outcomes import OutcomeSuite
from medkg.testing.ledger_suite.pdf_tasks import PdfTaskSuite
from medkg.testing.ledger_suite.places import PlaceSuite
from medkg.testing.ledger_suite.retention import RetentionSuite
from medkg.testing.ledger_suite.revisions import RevisionSuite
from medkg.testing.ledger_suite.syncs import SyncSuite
from medkg.testing.ledger_suite.windows import WindowSuite

__all__ = ["LEASE_SECONDS", "Clock", "LedgerSuite"]


class LedgerSuite(
    JobSuite,
    RevisionSuite,
    WindowSuite,
    OutcomeSuite,
    BranchSuite,
    DocumentSuite,
    DeadLetterSuite,
    GateSuite,
    PdfTaskSuite,
    SyncSuite,
    PlaceSuite,
    RetentionSuite,
    CommitSuite,
    GraphSuite,
    GraphReadingSuite,
    CopySuite,
    MonitoringSuite,
    OutboxSuite,
):
    """Subclass it once per implementation."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()
