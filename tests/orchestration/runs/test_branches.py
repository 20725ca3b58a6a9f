"""A branch that changed is run again alone: its documents are not fetched, parsed or run in the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.contracts import DocumentCounts
from orchestration.jobs.foreground import RunReport
from tests.orchestration.runs.window_folder import TOPOLOGY, TRIALS, WindowFolder, opened

FILE = f"{TOPOLOGY}.yaml"
ALL = len(TRIALS)


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[WindowFolder]:
    with opened(tmp_path) as folder:
        assert folder.run().documents == DocumentCounts(total=ALL, committed=ALL)
        assert (folder.plane.chunked, folder.extracted) == (ALL, ALL)
        yield folder


def reused(folder: WindowFolder, stage: str) -> int:
    """Documents for which the last job took the result of an earlier run of a stage."""
    (job, *_) = folder.assembly.ledger.jobs.find(TENANT, None)
    reports = folder.assembly.ledger.jobs.summary(job.submission.job_id).stages
    return sum(report.reused for report in reports if report.stage == stage)


def test_a_new_extractor_extracts_again_and_embeds_nothing(windows: WindowFolder) -> None:
    before = windows.intents()
    windows.versions["registry"] = "99"
    windows.reopen()
    _, (queued,) = windows.list_trials()
    assert (queued.pending, queued.due_for_graph, queued.due_for_index) == (ALL, ALL, 0)
    summary = windows.run()
    assert summary.documents == DocumentCounts(total=ALL, committed=ALL)
    assert (windows.plane.chunked, windows.plane.embedded, windows.extracted) == (0, 0, ALL)
    assert summary.chunks == 0
    assert reused(windows, "ingest") == reused(windows, "parse") == ALL
    assert windows.claims() == {(doc_id, "Insomnia", "registry/99") for doc_id in TRIALS}
    after = windows.intents()
    assert [after[doc_id][0] for doc_id in TRIALS] == [before[doc_id][0] for doc_id in TRIALS]
    assert not {graph for _, graph in before.values()} & {graph for _, graph in after.values()}
    assert windows.differences() == []
    assert windows.run().documents == DocumentCounts(total=ALL, skipped=ALL)


def test_a_changed_schema_extracts_again_and_embeds_nothing(windows: WindowFolder) -> None:
    windows.edit("graph.yaml", "A registered study.", "A study that a registry knows.")
    windows.reopen()
    windows.run()
    assert (windows.plane.embedded, windows.extracted) == (0, ALL)
    assert windows.differences() == []


def test_a_changed_configuration_of_extract_extracts_again_alone(windows: WindowFolder) -> None:
    windows.edit(FILE, "default: [registry]", "default: []")
    windows.reopen()
    windows.run()
    assert (windows.plane.embedded, windows.extracted, windows.claims()) == (0, 0, set())
    assert windows.assembly.ledger.graph.counts(TENANT).documents == ALL


def test_new_chunk_profiles_embed_again_and_extract_nothing(windows: WindowFolder) -> None:
    before = windows.intents()
    windows.edit(FILE, "default: default", "default: guideline")
    windows.reopen()
    summary = windows.run()
    assert (windows.plane.chunked, windows.extracted) == (ALL, 0)
    assert summary.chunks == windows.plane.embedded > 0
    after = windows.intents()
    assert [after[doc_id][1] for doc_id in TRIALS] == [before[doc_id][1] for doc_id in TRIALS]
    assert not {index for index, _ in before.values()} & {index for index, _ in after.values()}
    assert windows.differences() == []
    assert windows.run().documents == DocumentCounts(total=ALL, skipped=ALL)


def test_both_branches_run_again_from_the_kept_document(windows: WindowFolder) -> None:
    windows.edit(FILE, "default: default", "default: guideline")
    windows.versions["registry"] = "99"
    windows.reopen()
    windows.run()
    assert (windows.plane.chunked, windows.extracted) == (ALL, ALL)
    assert reused(windows, "parse") == ALL
    assert windows.differences() == []


def test_a_changed_document_runs_in_both_branches_and_is_parsed(windows: WindowFolder) -> None:
    windows.write_trials(*TRIALS[:1], condition="Snoring")
    windows.reopen()
    assert windows.run().documents == DocumentCounts(total=1, committed=1)
    assert (windows.plane.chunked, windows.extracted, reused(windows, "parse")) == (1, 1, 0)
    assert {(doc_id, name) for doc_id, name, _ in windows.claims()} == {
        (TRIALS[0], "Snoring"),
        *((doc_id, "Insomnia") for doc_id in TRIALS[1:]),
    }


def test_one_window_holds_new_documents_and_those_of_one_branch(windows: WindowFolder) -> None:
    windows.write_trials(*TRIALS, "NCT00000009")
    windows.versions["registry"] = "99"
    windows.reopen()
    assert windows.run().documents == DocumentCounts(total=ALL + 1, committed=ALL + 1)
    assert (windows.plane.chunked, windows.extracted, reused(windows, "parse")) == (1, ALL + 1, ALL)
    assert windows.differences() == []


def test_a_topology_without_extract_takes_the_graph_away(windows: WindowFolder) -> None:
    text = (windows.topologies / FILE).read_text(encoding="utf-8")
    (windows.topologies / FILE).write_text(text[: text.index("  - name: extract")], encoding="utf-8")
    windows.reopen()
    assert windows.run().documents == DocumentCounts(total=ALL, committed=ALL)
    assert (windows.plane.chunked, windows.extracted) == (0, 0)
    assert {graph for _, graph in windows.intents().values()} == {None}
    assert windows.assembly.ledger.graph.counts(TENANT).documents == 0
    assert list(windows.assembly.ledger.graph.holdings(TENANT)) == []
    assert windows.differences() == []
    assert windows.run().documents == DocumentCounts(total=ALL, skipped=ALL)


def test_an_extract_stage_that_is_added_embeds_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as windows:
        whole = (windows.topologies / FILE).read_text(encoding="utf-8")
        (windows.topologies / FILE).write_text(whole[: whole.index("  - name: extract")], encoding="utf-8")
        windows.reopen()
        windows.run()
        (windows.topologies / FILE).write_text(whole.replace("2026-", "2027-"), encoding="utf-8")
        windows.reopen()
        assert windows.differences() == []
        windows.run()
        assert (windows.plane.chunked, windows.extracted) == (0, ALL)
        assert {doc_id for doc_id, _, _ in windows.claims()} == {*TRIALS}


def test_a_lost_parsed_document_fails_by_name_and_its_replay_starts_at_the_source(
    windows: WindowFolder,
) -> None:
    windows.forget_parsed(TRIALS[0])
    windows.versions["registry"] = "99"
    windows.reopen()
    summary = windows.run()
    assert summary.documents == DocumentCounts(total=ALL, committed=ALL - 1, failed=1)
    (failure,) = summary.failures
    assert (failure.ctx.doc_id, failure.stage, failure.code) == (TRIALS[0], "parse", "MEDKG-503")
    assert (TRIALS[0], "Insomnia", "registry/99") not in windows.claims(), "what was visible stays"
    letters = windows.assembly.ledger.dead_letters.waiting(TENANT)
    graph = windows.assembly.topologies.load(TOPOLOGY)
    again = windows.assembly.submissions.replay(
        [letter.id for letter in letters], graph, tenant_id=TENANT, window_size=100
    )
    windows.work(again.job_id)
    assert windows.claims() == {(doc_id, "Insomnia", "registry/99") for doc_id in TRIALS}
    assert windows.differences() == []


def test_reports_count_mentions_claims_and_what_is_not_grounded(windows: WindowFolder) -> None:
    windows.versions["registry"] = "99"
    windows.invents = True
    windows.reopen()
    summary = windows.run()
    report = {each.stage: each for each in summary.stages}["extract"]
    counts = windows.assembly.ledger.graph.counts(TENANT)
    assert (report.mentions, report.claims) == (counts.mentions, counts.claims)
    assert report.items_out == counts.mentions + counts.claims
    assert report.dropped == {"mention not in the text": ALL}
    value = RunReport(summary, 1.0).as_json()
    assert value["dropped"] == {"extract": report.dropped}
    assert value["stages"]["extract"]["mentions"] == counts.mentions
    assert value["stages"]["parse"]["reused"] == ALL
