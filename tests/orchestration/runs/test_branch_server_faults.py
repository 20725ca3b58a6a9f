"""PostgreSQL dies, or does not answer, at the commit of a window: its graph is old or new, never half of it.

The server commits or rolls back, and the window cannot know which. Either way nothing is lost, nothing is
left over once the process has ended, and the next run ends as if nothing had happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts import DocumentCounts
from tests.orchestration.postgresql import needs_postgresql, own_schema
from tests.orchestration.postgresql_proxy import FAULTS, CommitFault, PostgresqlProxy
from tests.orchestration.runs.test_branch_kills import ALL, NEW, OLD, intents
from tests.orchestration.runs.window_folder import WindowFolder, opened

pytestmark = needs_postgresql

GRAPH_WRITE = "COPY graph_documents"
COMMIT = "INTO commits"
CLEANING = "DELETE FROM graph_mentions"
"""Statements of the transactions that write a window's graph, make it visible, and remove what was before."""


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[WindowFolder]:
    with own_schema() as url, opened(tmp_path, url) as folder:
        folder.versions["registry"] = "old"
        folder.reopen()
        folder.run()
        yield folder


def run_through(
    proxy: PostgresqlProxy, windows: WindowFolder, seconds: int
) -> subprocess.CompletedProcess[str]:
    """A process that extracts with the new version; it waits so long for a server that is unavailable."""
    command = [
        sys.executable,
        "-m",
        "tests.orchestration.runs.window_folder",
        str(windows.folder),
        "none",
        "new",
    ]
    settings = {"MEDKG_LEDGER_URL": proxy.url, "MEDKG_UNAVAILABLE_SECONDS": str(seconds)}
    return subprocess.run(
        command, env={**os.environ, **settings}, check=False, capture_output=True, text=True
    )


def check_recovers(windows: WindowFolder, *, is_new: bool) -> None:
    index, _ = intents(windows)
    windows.versions["registry"] = "new"
    windows.reopen()
    assert windows.claims() == (NEW if is_new else OLD)
    windows.assembly.index.recover(lambda owner: False)  # the process that wrote the old graph ended too
    assert windows.claims() == (NEW if is_new else OLD)
    assert windows.differences() == []
    assert len(list(windows.assembly.ledger.graph.holdings(windows.settings.tenant))) == ALL

    outcome = {"skipped": ALL} if is_new else {"committed": ALL}
    assert windows.run().documents == DocumentCounts(total=ALL, **outcome)
    assert (windows.claims(), intents(windows)[0], windows.plane.embedded) == (NEW, index, 0)
    assert windows.differences() == []


@pytest.mark.parametrize(
    ("statement", "fault", "is_new"),
    [
        (GRAPH_WRITE, "killed before", False),
        (GRAPH_WRITE, "answer lost", False),
        (COMMIT, "killed before", False),
        (COMMIT, "answer lost", True),
        (CLEANING, "killed before", True),
        (CLEANING, "answer lost", True),
    ],
)
def test_a_server_that_stays_down_leaves_the_graph_old_or_new(
    windows: WindowFolder, statement: str, fault: CommitFault, is_new: bool
) -> None:
    with PostgresqlProxy(windows.settings.ledger_url) as proxy:
        proxy.break_commit_of(statement, fault, stays_down=True)
        ended = run_through(proxy, windows, seconds=0)
        assert (proxy.met, ended.returncode) == (1, 1)
        assert "DagsterResourceUnavailableError" in ended.stderr
        assert "cannot be used" in ended.stderr
    check_recovers(windows, is_new=is_new)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_comes_back_is_waited_for_and_the_graph_is_written_once(
    windows: WindowFolder, fault: CommitFault
) -> None:
    with PostgresqlProxy(windows.settings.ledger_url) as proxy:
        proxy.break_commit_of(GRAPH_WRITE, fault, stays_down=False)
        ended = run_through(proxy, windows, seconds=60)
        assert (proxy.met, ended.returncode) == (1, 0), ended.stderr
    check_recovers(windows, is_new=True)
