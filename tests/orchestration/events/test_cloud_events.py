"""CloudEvents of facts: which, about what, under which ids."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from cloudevents.core.formats.json import JSONFormat

from orchestration.contracts import StageReport
from orchestration.contracts.facts import (
    DocumentCommitted,
    DocumentErased,
    Fact,
    FactBody,
    FactDocument,
    JobOpened,
    StageFailure,
    StageFinished,
    StageRetried,
    StageStarted,
    WindowLeased,
)
from orchestration.errors import MalformedDocumentError
from orchestration.events.expansion import OF_BATCH, OF_DOCUMENT, WITHOUT_EVENTS
from orchestration.events.factory import CloudEventFactory
from orchestration.events.types import EVENT_TYPES, PREFIX
from orchestration.records import DocumentKey

KINDS = get_args(get_args(FactBody)[0])
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def a_document(doc_id: str) -> FactDocument:
    key = DocumentKey(tenant_id="default", source="pmc", doc_id=doc_id)
    return FactDocument(key=key, correlation_id=f"job-{doc_id}")


def a_fact(body: FactBody, *doc_ids: str | None, sequence: int = 7) -> Fact:
    return Fact(
        sequence=sequence,
        position=5,
        ledger="a" * 32,
        happened_at=1_700_000_000.0,
        tenant_id="default",
        job_id="job-1",
        window_id="window-1",
        pipeline_name="auto",
        pipeline_version="2026-11-23",
        traceparent=TRACE,
        documents=tuple(a_document(doc_id) if doc_id else None for doc_id in doc_ids),
        body=body,
    )


def a_report() -> StageReport:
    return StageReport(
        job_id="job-1",
        window_id="window-1",
        stage="parse",
        documents_in=2,
        documents_out=1,
        failed=1,
        retried=3,
        items_out=9,
        started_at=1,
        seconds=1.5,
        cpu_seconds=1,
    )


def short(fact: Fact) -> list[tuple[str, str]]:
    return [(e.short_type, e.cloud_event.get_subject() or "") for e in CloudEventFactory().events(fact)]


def test_every_kind_of_fact_has_events_or_is_listed_without() -> None:
    with_events = {*OF_BATCH, *OF_DOCUMENT, DocumentErased}
    without = {kind for kind in KINDS if kind not in with_events}
    assert {kind.model_fields["kind"].default for kind in without} == WITHOUT_EVENTS


def test_the_types_of_the_specification_are_there() -> None:
    for name in ("started", "completed", "failed", "retrying"):
        assert f"org.medicalkg.orchestration.stage.{name}" in EVENT_TYPES


def test_a_stage_completes_or_fails_per_document() -> None:
    failure = StageFailure(
        index=1, stage="parse", code=MalformedDocumentError.code, message="cut off", attempts=4, fatal=True
    )
    fact = a_fact(StageFinished(report=a_report(), outputs=(9, 0), failures=(failure,)), "1", "2")
    completed, failed = CloudEventFactory().events(fact)
    assert (completed.type, failed.type) == (PREFIX + "stage.completed", PREFIX + "stage.failed")
    assert completed.cloud_event.get_data() == {
        "doc_id": "1",
        "source": "pmc",
        "stage": "parse",
        "duration_ms": 1500.0,
        "output_count": 9,
    }
    assert failed.cloud_event.get_data() == {
        "doc_id": "2",
        "source": "pmc",
        "stage": "parse",
        "error_code": MalformedDocumentError.code,
        "error_class": "MalformedDocumentError",
        "error_message": "cut off",
        "retry_count": 3,
        "fatal": True,
    }


def test_an_event_is_read_by_the_specifications_library_with_its_extensions() -> None:
    (event,) = CloudEventFactory().events(a_fact(StageStarted(stage="parse"), "1"))
    read = JSONFormat().read(None, event.structured())
    attributes = read.get_attributes()
    assert attributes["specversion"] == "1.0"
    assert {
        name: attributes[name] for name in ("subject", "correlationid", "tenant", "jobid", "windowid")
    } == {
        "subject": "1",
        "correlationid": "job-1",
        "tenant": "default",
        "jobid": "job-1",
        "windowid": "window-1",
    }
    assert (attributes["pipeline"], attributes["pipelineversion"]) == ("auto", "2026-11-23")
    assert attributes["traceparent"] == TRACE
    assert (attributes["partitionkey"], event.key) == ("default/pmc/1", "default/pmc/1")
    assert attributes["sequence"] == "0000000000000005.000000"
    assert json.loads(event.structured())["time"] == "2023-11-14T22:13:20Z"


def test_ids_are_the_same_each_time_and_for_nothing_else() -> None:
    fact = a_fact(WindowLeased(), "1", "2")
    ids = [event.id for event in CloudEventFactory().events(fact)]
    assert ids == [event.id for event in CloudEventFactory().events(fact)]
    others = [event.id for event in CloudEventFactory().events(a_fact(WindowLeased(), "1", "2", sequence=8))]
    assert len({*ids, *others}) == 6


def test_an_erased_document_has_no_event_and_the_others_keep_their_ids() -> None:
    whole = CloudEventFactory().events(a_fact(StageStarted(stage="parse"), "1", "2"))
    (left,) = CloudEventFactory().events(a_fact(StageStarted(stage="parse"), None, "2"))
    assert left.id == whole[1].id


def test_a_window_and_its_documents_start_and_commit() -> None:
    assert short(a_fact(WindowLeased(), "1", "2")) == [
        ("window.started", "job-1"),
        ("document.running", "1"),
        ("document.running", "2"),
    ]
    body = DocumentCommitted(chunks=(2,), mentions=(1,), claims=(0,), versions=("v" * 64,))
    assert short(a_fact(body, "1")) == [("window.committed", "job-1"), ("document.committed", "1")]
    alone = a_fact(body, "1").model_copy(update={"window_id": ""})
    assert short(alone) == [("document.committed", "1")]


def test_a_retry_without_documents_is_an_event_of_its_stage() -> None:
    retried = StageRetried(stage="embed", attempt=1, backoff_ms=500, codes={"MEDKG-300": 2})
    assert short(a_fact(retried)) == [("stage.retrying", "job-1")]
    assert short(a_fact(retried, "1")) == [("stage.retrying", "1")]


def test_a_job_is_the_subject_of_its_events() -> None:
    assert short(a_fact(JobOpened(source="files", attended=True))) == [("job.opened", "job-1")]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_describes_its_fields(name: str) -> None:
    model = EVENT_TYPES[name]
    assert model.__doc__
    assert all(field.description for field in model.model_fields.values())
