"""A window of one branch that is killed (kill -9) leaves the old graph or the new one, never half of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestration.contracts import DocumentCounts
from orchestration.processes.child_process import is_alive
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.orchestration.runs.window_folder import TRIALS, WindowFolder, boundaries, opened

OF_BRANCH = boundaries(("ingest", "ir_validation", "extract", "kg"))
COMMITTED_FROM = OF_BRANCH.index("after the ledger's commit")
OLD = {(doc_id, "Insomnia", "registry/old") for doc_id in TRIALS}
NEW = {(doc_id, "Insomnia", "registry/new") for doc_id in TRIALS}


@pytest.fixture(params=BOTH_DATABASES)
def windows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WindowFolder]:
    with ExitStack() as stack:
        url = stack.enter_context(own_schema()) if request.param == "postgresql" else None
        folder = stack.enter_context(opened(tmp_path, url))
        folder.versions["registry"] = "old"
        folder.reopen()
        folder.run()
        yield folder


def killed_at(windows: WindowFolder, boundary: str) -> int:
    command = [sys.executable, "-m", "tests.orchestration.runs.window_folder", str(windows.folder), boundary]
    environment = {**os.environ, "MEDKG_LEDGER_URL": windows.settings.ledger_url}
    return subprocess.run([*command, "new"], env=environment, check=False).returncode


@pytest.mark.parametrize("boundary", OF_BRANCH)
def test_a_killed_window_of_one_branch_leaves_it_old_or_new(windows: WindowFolder, boundary: str) -> None:
    index = {doc_id: intent for doc_id, (intent, _) in windows.intents().items()}
    assert killed_at(windows, boundary) == -signal.SIGKILL
    windows.versions["registry"] = "new"
    windows.reopen()
    whole = NEW if OF_BRANCH.index(boundary) >= COMMITTED_FROM else OLD
    assert windows.claims() == whole

    windows.assembly.index.recover(is_alive)
    assert windows.claims() == whole
    assert windows.differences() == []

    documents = windows.run().documents
    outcome = {"skipped": len(TRIALS)} if whole == NEW else {"committed": len(TRIALS)}
    assert documents == DocumentCounts(total=len(TRIALS), **outcome)
    assert windows.claims() == NEW
    assert {doc_id: intent for doc_id, (intent, _) in windows.intents().items()} == index
    assert (windows.plane.embedded, windows.differences()) == (0, [])
