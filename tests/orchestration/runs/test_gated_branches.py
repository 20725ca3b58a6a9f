"""Documents that waited at a gate are extracted again as they were parsed: nothing is converted again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.synthetic_pdfs import LAYOUTS, an_article, pdf_of
from orchestration.contracts import DocumentCounts, JobSummary, Phase
from orchestration.gates.gates import Gates
from orchestration.runs.artifacts import WindowBatch
from tests.orchestration.runs.window_folder import WindowFolder
from tests.waiting import wait_until

TOPOLOGY = "pdf-two-phase"
PAPERS = 2


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[WindowFolder]:
    """PDFs of articles, which the text layer converts behind the gate."""
    windows = WindowFolder(tmp_path, topology=TOPOLOGY)
    try:
        (windows.trials / "studies.jsonl").unlink()
        for number in range(PAPERS):
            pdf = pdf_of(an_article(number), LAYOUTS["one column"])
            (windows.trials / f"paper-{number}.pdf").write_bytes(pdf)
        windows.edit(f"{TOPOLOGY}.yaml", "converter: mineru", "converter: text-layer")
        windows.reopen()
        assert run(windows, converts=True).documents == DocumentCounts(total=PAPERS, committed=PAPERS)
        assert (windows.extracted, windows.differences()) == (PAPERS, [])
        yield windows
    finally:
        windows.close()


def run(windows: WindowFolder, *, converts: bool) -> JobSummary:
    """List the PDFs and run both phases; without `converts` no converter works between them."""
    job_id, _ = windows.list_trials()
    first_phase(windows, job_id)
    if converts:
        convert(windows)
    windows.assembly.gate_sweeps.sweep()
    second_phase(windows, job_id)
    windows.assembly.ledger.jobs.settle(job_id)
    return windows.assembly.ledger.jobs.summary(job_id)


def convert(windows: WindowFolder) -> None:
    """Have the converter do what the documents at the gate wait for."""
    conversions = windows.assembly.pdf_conversions()
    gates = Gates(windows.assembly.ledger.gates, windows.assembly.topology_of)

    def is_done() -> bool:
        conversions.sweep()
        return not any(gates.lacking(document) for document in gates.waiting(TENANT))

    wait_until(is_done)


def first_phase(windows: WindowFolder, job_id: str) -> None:
    graph, runs = windows.assembly.topologies.load(TOPOLOGY), windows.assembly.window_runs
    while window_id := windows.assembly.ledger.windows.claim(job_id, 100, phase=Phase.FIRST):
        (first, *others), held = graph.phases[0].nodes, graph.phases[0].held
        batch, _ = runs.run_first_stage(TOPOLOGY, first.name, window_id)
        for node in others:
            batch, _ = runs.run_stage(TOPOLOGY, node.name, batch)
        assert held is not None and held.name == others[-1].name
        runs.wait_at_gate(TOPOLOGY, batch)


def second_phase(windows: WindowFolder, job_id: str) -> None:
    graph, runs = windows.assembly.topologies.load(TOPOLOGY), windows.assembly.window_runs
    while window_id := windows.assembly.ledger.windows.claim(job_id, 100, phase=Phase.SECOND):
        held = graph.phases[1].resumes
        assert held is not None
        batches: dict[str, WindowBatch] = {held.name: runs.resume(TOPOLOGY, window_id)}
        for node in graph.phases[1].nodes:
            assert node.takes_from is not None
            batches[node.name], _ = runs.run_stage(TOPOLOGY, node.name, batches[node.takes_from.name])
        runs.commit(TOPOLOGY, {sink.name: batches[sink.name] for sink in graph.sinks})


def test_a_new_extractor_passes_the_gate_without_a_conversion(papers: WindowFolder) -> None:
    index = {doc_id: intent for doc_id, (intent, _) in papers.intents().items()}
    papers.versions["registry"] = "99"
    papers.reopen()
    summary = run(papers, converts=False)
    assert summary.documents == DocumentCounts(total=PAPERS, committed=PAPERS)
    assert (papers.plane.chunked, papers.plane.embedded, papers.extracted) == (0, 0, PAPERS)
    reused = {report.stage: report.reused for report in summary.stages if report.reused}
    assert reused == dict.fromkeys(("ingest", "download", "pdf_ir", "parse", "ir_validation"), PAPERS)
    assert {doc_id: intent for doc_id, (intent, _) in papers.intents().items()} == index
    assert papers.differences() == []
    assert run(papers, converts=False).documents == DocumentCounts(total=PAPERS, skipped=PAPERS)


def test_of_a_window_the_changed_pdf_is_converted_and_the_others_are_not(papers: WindowFolder) -> None:
    (papers.trials / "paper-0.pdf").write_bytes(pdf_of(an_article(7), LAYOUTS["one column"]))
    papers.versions["registry"] = "99"
    papers.reopen()
    job_id, _ = papers.list_trials()
    first_phase(papers, job_id)
    gates = Gates(papers.assembly.ledger.gates, papers.assembly.topology_of)
    lacking = [gates.lacking(document) for document in gates.waiting(TENANT)]
    assert sorted(map(str, lacking)) == ["['pdf_ir_ready']", "[]"]
    papers.assembly.gate_sweeps.sweep()
    second_phase(papers, job_id)
    assert papers.assembly.ledger.jobs.account(job_id).documents == DocumentCounts(
        total=PAPERS, committed=PAPERS - 1, waiting=1
    )
    assert (papers.plane.chunked, papers.extracted) == (0, PAPERS - 1)
    convert(papers)
    papers.reopen()
    papers.assembly.gate_sweeps.sweep()
    second_phase(papers, job_id)
    assert (papers.plane.chunked, papers.extracted, papers.differences()) == (1, 1, [])
