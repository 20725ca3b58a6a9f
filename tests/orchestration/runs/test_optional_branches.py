"""An optional branch that fails, or whose service is unavailable, keeps no document from its index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.contracts import DocumentCounts
from orchestration.errors import DagsterResourceUnavailableError, MalformedDocumentError
from orchestration.jobs.foreground import RunReport
from tests.orchestration.runs.window_folder import TOPOLOGY, TRIALS, WindowFolder, opened, unavailable

FILE = f"{TOPOLOGY}.yaml"
ALL = len(TRIALS)
COMMITTED = DocumentCounts(total=ALL, committed=ALL)


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WindowFolder]:
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "0")
    with opened(tmp_path) as folder:
        folder.optional_extraction()
        yield folder


def test_documents_are_indexed_while_the_extractor_is_unavailable(windows: WindowFolder) -> None:
    windows.fails = unavailable
    report = RunReport(windows.run(), 1.0)
    assert report.summary.documents == COMMITTED
    assert report.exit_code == 0
    assert report.as_json()["outstanding"] == windows.outstanding() == {"extract": ALL}
    assert {failure.message for failure in report.summary.failures} == {str(unavailable(None))}
    assert (windows.plane.chunked, windows.claims()) == (ALL, set())
    assert windows.differences() == []


def test_the_next_run_extracts_alone_what_was_outstanding(windows: WindowFolder) -> None:
    windows.fails = unavailable
    windows.run()
    windows.fails = lambda document: None
    windows.reopen()
    assert windows.run().documents == COMMITTED
    assert (windows.plane.chunked, windows.extracted, windows.outstanding()) == (0, ALL, {})
    assert {doc_id for doc_id, _, _ in windows.claims()} == {*TRIALS}
    assert windows.assembly.ledger.dead_letters.waiting(TENANT) == []
    assert windows.run().documents == DocumentCounts(total=ALL, skipped=ALL)


def test_a_replay_extracts_alone_what_was_outstanding(windows: WindowFolder) -> None:
    windows.fails = lambda document: MalformedDocumentError("odd") if document.doc_id == TRIALS[1] else None
    windows.run()
    assert windows.outstanding() == {"extract": 1}
    windows.fails = lambda document: None
    windows.reopen()
    (windows.trials / "studies.jsonl").unlink()
    (letter,) = windows.assembly.ledger.dead_letters.waiting(TENANT)
    graph = windows.assembly.topologies.load(TOPOLOGY)
    job = windows.assembly.submissions.replay([letter.id], graph, tenant_id=TENANT, window_size=9)
    windows.work(job.job_id)
    assert windows.assembly.ledger.jobs.account(job.job_id).documents == DocumentCounts(total=1, committed=1)
    assert (windows.plane.chunked, windows.extracted, windows.outstanding()) == (0, 1, {})
    assert {doc_id for doc_id, _, _ in windows.claims()} == {*TRIALS}


def test_older_claims_stay_while_their_text_is_the_same(windows: WindowFolder) -> None:
    windows.versions["registry"] = "old"
    windows.reopen()
    windows.run()
    old = windows.claims()
    windows.versions["registry"] = "new"
    windows.fails = unavailable
    windows.reopen()
    assert windows.run().documents == COMMITTED
    assert (windows.claims(), windows.outstanding()) == (old, {"extract": ALL})

    windows.write_trials(*TRIALS, condition="Snoring")
    assert windows.run().documents == COMMITTED
    assert (windows.claims(), windows.outstanding()) == (set(), {"extract": ALL})
    assert windows.differences() == []


def test_a_required_branch_whose_service_is_unavailable_hands_the_window_back(windows: WindowFolder) -> None:
    for name in ("extract", "kg"):
        windows.edit(FILE, f"type: {name}\n    optional: true\n", f"type: {name}\n")
    windows.reopen()
    windows.fails = unavailable
    with pytest.raises(DagsterResourceUnavailableError):
        windows.run()
    assert windows.intents() == {}
