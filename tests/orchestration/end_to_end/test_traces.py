"""One real `medkg run` and one search: each is one trace, over all processes, also those of Ray."""

from __future__ import annotations

import json

import pytest

from ops.observability.otlp_collector import OtlpCollector, Received, otlp_collector
from tests.orchestration.command_line import Medkg

pytestmark = pytest.mark.plane

DOCUMENTS = 6


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> OtlpCollector:
    """The spans of a run."""
    folder = tmp_path_factory.mktemp("traces")
    documents = folder / "in"
    documents.mkdir()
    for number in range(DOCUMENTS):
        text = f"# Walking {number}\n\nMetformin lowers blood glucose in {number} adults with diabetes.\n"
        (documents / f"{number}.md").write_text(text, encoding="utf-8")
    with otlp_collector() as collector, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        run = Medkg(folder / "data").process("run", "auto", "--path", str(documents), "--json")
        stdout, stderr = run.communicate()
        assert run.returncode == 0, stderr
        assert json.loads(stdout)["documents"]["committed"] == DOCUMENTS
        print(collector.tree())  # noqa: T201 - shown with a failure
        return collector


def _path(spans: list[Received], span: Received) -> list[str]:
    """Names from the root to the span."""
    by_id = {each.span_id: each for each in spans}
    path = [span.name]
    while span.parent_id:
        span = by_id[span.parent_id]
        path.append(span.name)
    return path[::-1]


def test_a_run_is_one_trace_whose_root_is_the_command(traced: OtlpCollector) -> None:
    assert len({span.trace_id for span in traced.spans}) == 1
    assert [span.name for span in traced.spans if not span.parent_id] == ["medkg run"]
    assert len({span.span_id for span in traced.spans}) == len(traced.spans)
    assert all(span.ended >= span.started for span in traced.spans)


def test_each_micro_batch_has_its_place_below_job_window_stage_and_attempt(traced: OtlpCollector) -> None:
    paths = {tuple(_path(traced.spans, span)) for span in traced.named("micro-batch")}
    above = ("medkg run", "job", "window")
    assert paths == {
        (*above, "stage chunk", "attempt", "plane chunker chunk", "micro-batch"),
        (*above, "stage extract", "attempt", "plane extractor tag", "micro-batch"),
        (*above, "stage embed", "attempt", "plane embedder", "micro-batch"),
        (*above, "stage embed", "attempt", "plane sparse-encoder", "micro-batch"),
    }


def test_it_goes_through_the_processes_of_command_worker_and_plane(traced: OtlpCollector) -> None:
    processes = {(span.name, span.service) for span in traced.spans}
    assert {
        ("medkg run", "medkg-command"),
        ("window", "medkg-window-worker"),
        ("micro-batch", "medkg-plane"),
    } <= processes
    plane = {span.pid for span in traced.spans if span.service == "medkg-plane"}
    assert len(plane) == 4  # embedder, sparse encoder, extractor, chunker


def test_a_span_counts_documents_and_none_stands_for_one(traced: OtlpCollector) -> None:
    stages = {span.name: span.attributes for span in traced.spans if span.name.startswith("stage ")}
    assert {"stage ingest", "stage parse", "stage chunk", "stage embed", "stage index"} <= stages.keys()
    assert {each["medkg.documents_in"] for each in stages.values()} == {DOCUMENTS}
    (job,) = traced.named("job")
    assert (job.attributes["medkg.total"], job.attributes["medkg.committed"]) == (DOCUMENTS, DOCUMENTS)
    (commit,) = traced.named("commit")
    assert commit.attributes["medkg.documents"] == DOCUMENTS


def test_a_micro_batch_says_what_it_computed(traced: OtlpCollector) -> None:
    (dense,) = [span for span in traced.named("micro-batch") if span.attributes["medkg.pool"] == "embedder"]
    assert dense.attributes["gen_ai.operation.name"] == "embeddings"
    assert dense.attributes["medkg.rows"] == DOCUMENTS
    assert dense.attributes["gen_ai.usage.input_tokens"] > DOCUMENTS
    assert dense.attributes["medkg.padding_tokens"] >= 0


def test_stores_name_their_system(traced: OtlpCollector) -> None:
    systems = {span.name: span.attributes.get("db.system") for span in traced.spans if "write" in span.name}
    assert systems == {"write search index": "sqlite", "write vectors": "faiss", "write graph": None}


def test_no_span_has_text_of_a_document(traced: OtlpCollector) -> None:
    assert "blood glucose" not in repr(traced.spans)
