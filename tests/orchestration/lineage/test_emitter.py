"""Lineage of a job: its runs, their tree, their facets and datasets, at a server and in a file."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from orchestration.contracts import JobState
from orchestration.contracts.facts import (
    DocumentErased,
    JobChanged,
    StageAbandoned,
    StageRetried,
    WindowLeased,
)
from orchestration.contracts.jobs import DocumentCounts
from orchestration.lineage.emitter import OpenLineageEmitter
from tests.orchestration.lineage.a_job import JOB, PLACES, WINDOW, FactsOfAJob, a_document, kinds_of
from tests.orchestration.lineage.checks import (
    OWN,
    assert_runs_end,
    assert_tree,
    check,
    check_event,
    facets_of,
    own_registry,
    specification_registry,
)

pytest.importorskip("openlineage.client")


class Recorded:
    """A transport that keeps events as they would be sent."""

    kind = "recorded"

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, event: Any) -> None:
        from openlineage.client.serde import Serde

        self.events.append(json.loads(Serde.to_json(event)))

    def close(self) -> None:
        """Nothing is open."""


def emitted(facts: FactsOfAJob, batch: int = 1_000) -> list[dict[str, Any]]:
    """Events of the facts, given in batches; the emitter of each batch knows the state alone."""
    events, state = [], ""
    for start in range(0, len(facts.facts), batch):
        transport = Recorded()
        emitter = OpenLineageEmitter(transport, "medkg", PLACES, kinds_of)  # type: ignore[arg-type]
        state = emitter.publish(facts.facts[start : start + batch], state)
        events += transport.events
    assert batch == 1_000 or not json.loads(state)["windows"]
    return events


def of(events: list[dict[str, Any]], job: str, state: str) -> dict[str, Any]:
    """The one event of a job with that type."""
    (event,) = [each for each in events if (each["job"]["name"], each["eventType"]) == (job, state)]
    return event


def rows(datasets: list[dict[str, Any]]) -> dict[str, int | None]:
    """Rows by `namespace name`."""
    return {
        f"{each['namespace']} {each['name']}": {
            **each.get("inputFacets", {}),
            **each.get("outputFacets", {}),
        }.get("outputStatistics", each.get("inputFacets", {}).get("inputStatistics", {})).get("rowCount")
        for each in datasets
    }


def test_every_run_of_a_job_starts_once_ends_once_and_has_its_place_in_the_tree() -> None:
    events = emitted(FactsOfAJob().whole())
    assert_runs_end(events)
    assert_tree(events)
    names = {event["job"]["name"] for event in events}
    stages = ("ingest", "parse", "chunk", "embed", "index", "extract", "kg")
    assert names == {"auto", "auto.window", *(f"auto.{stage}" for stage in stages)}
    assert of(events, "auto", "START")["run"]["runId"] == JOB
    assert of(events, "auto.window", "START")["run"]["runId"] == WINDOW


def test_events_do_not_depend_on_how_facts_come_in_batches() -> None:
    facts = FactsOfAJob().whole()
    assert emitted(facts, batch=1) == emitted(facts) == emitted(facts, batch=5)


def test_events_and_all_their_facets_are_valid_under_the_specification() -> None:
    registry = specification_registry()
    events = emitted(FactsOfAJob().whole())
    for event in events:
        check_event(registry, event)
    assert {facet["_schemaURL"].rsplit("/", 1)[-1] for event in events for facet in facets_of(event)} >= {
        "ParentRunFacet",
        "OutputStatisticsOutputDatasetFacet",
        "MedkgModelVersionRunFacet",
        "MedkgGpuUtilizationRunFacet",
        "MedkgRetryAttemptRunFacet",
        "MedkgDocumentCountsRunFacet",
    }


def test_own_facets_are_valid_under_the_published_schemas_and_have_their_values() -> None:
    registry = own_registry()
    facets = of(emitted(FactsOfAJob().whole()), "auto.embed", "COMPLETE")["run"]["facets"]
    own = {name: facet for name, facet in facets.items() if name.startswith("medkg_")}
    for facet in own.values():
        check(registry, facet, facet["_schemaURL"])
        with pytest.raises(Exception, match="is not of type 'string'"):
            check(registry, {**facet, "_producer": 3}, facet["_schemaURL"])
    values = {
        name: {key: value for key, value in facet.items() if key[0] != "_"} for name, facet in own.items()
    }
    assert values == {
        "medkg_gpuUtilization": {
            "gpus": [
                {
                    "index": 0,
                    "uuid": "GPU-1",
                    "name": "H200",
                    "meanPercent": 61.5,
                    "peakPercent": 98.0,
                    "usedGib": 20.25,
                }
            ],
            "modelCpuSeconds": 1.5,
        },
        "medkg_modelVersion": {
            "models": [
                {"role": "dense", "id": "all-MiniLM-L6-v2@1"},
                {"role": "sparse", "id": "splade-mini@2"},
            ]
        },
        "medkg_retryAttempt": {"attempt": 1, "documentAttempts": 3, "retried": 2},
        "medkg_documentCounts": {
            "total": 2,
            "passed": 2,
            "failed": 0,
            "skipped": 0,
            "waiting": 0,
            "pending": 0,
            "reused": 0,
            "failedByCode": {},
        },
    }


def test_a_published_schema_is_never_changed() -> None:
    """A change needs a new version beside it, since its address is that of what was published."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in OWN.glob("1-0-0/*")}
    assert digests == PUBLISHED


def test_datasets_lead_from_the_source_to_index_vectors_and_graph() -> None:
    events = emitted(FactsOfAJob().whole())
    between = "file /data/artifacts/oncology/auto"
    ingest, embed = of(events, "auto.ingest", "COMPLETE"), of(events, "auto.embed", "COMPLETE")
    assert rows(ingest["inputs"]) == {"file /home/me/trials": 3}
    assert rows(ingest["outputs"]) == {f"{between}/payloads": 7}
    assert rows(embed["inputs"]) == {f"{between}/chunks": None}
    assert rows(embed["outputs"]) == {f"{between}/embeddings": 7}
    stored = {
        "file /data/search/oncology.sqlite": 4,
        "opensearch://search:9200 medkg-vectors.oncology": 4,
    }
    assert rows(of(events, "auto.index", "COMPLETE")["outputs"]) == stored
    graph = {
        "postgres://db:5432 medkg.public.graph_mentions": 6,
        "postgres://db:5432 medkg.public.graph_claims": 2,
    }
    assert rows(of(events, "auto.kg", "COMPLETE")["outputs"]) == graph
    job = of(events, "auto", "COMPLETE")
    assert rows(job["inputs"]) == {"file /home/me/trials": None}
    assert rows(job["outputs"]) == stored | graph
    columns = job["outputs"][1]["facets"]["schema"]["fields"]
    assert [column["name"] for column in columns] == ["chunk_id", "vector"]


def test_the_account_of_job_window_and_stage_is_in_their_last_events() -> None:
    events = emitted(FactsOfAJob().whole())
    wanted = {
        "auto": {"total": 3, "passed": 2, "failed": 1},
        "auto.window": {"total": 3, "passed": 2, "failed": 1},
        "auto.parse": {"total": 3, "passed": 2, "failed": 1},
    }
    for job, values in wanted.items():
        counts = of(events, job, "COMPLETE")["run"]["facets"]["medkg_documentCounts"]
        assert {name: counts[name] for name in values} == values
    parse = of(events, "auto.parse", "COMPLETE")["run"]["facets"]["medkg_documentCounts"]
    assert parse["failedByCode"] == {"MEDKG-200": 1}


def test_no_event_names_a_document() -> None:
    assert "trial-" not in json.dumps(emitted(FactsOfAJob().whole()))


def test_a_stage_that_fails_for_every_document_fails() -> None:
    facts = FactsOfAJob().opened().leased().started("parse").finished("parse", failed=[0, 1, 2])
    events = emitted(facts.changed(JobState.DONE, failed=3))
    assert_runs_end(events)
    failed = of(events, "auto.parse", "FAIL")["run"]["facets"]["errorMessage"]
    assert failed["message"] == "every document failed: MEDKG-200"
    assert of(events, "auto.window", "COMPLETE")


def test_an_unavailable_service_fails_the_stage_and_its_window_with_the_error() -> None:
    abandoned = StageAbandoned(stage="embed", code="MEDKG-401", message="the plane does not answer.")
    facts = FactsOfAJob().opened().leased().started("embed")
    facts.add(abandoned, facts.documents, window=WINDOW).handed_back("the plane does not answer.")
    facts.changed(JobState.STALLED, pending=3)
    events = emitted(facts)
    assert_runs_end(events)
    message = of(events, "auto.embed", "FAIL")["run"]["facets"]["errorMessage"]["message"]
    assert message == "MEDKG-401: the plane does not answer."
    window = of(events, "auto.window", "FAIL")
    assert window["run"]["facets"]["errorMessage"]["message"] == "the plane does not answer."
    assert window["run"]["facets"]["medkg_documentCounts"]["pending"] == 3
    assert of(events, "auto", "FAIL")


def test_stages_of_a_killed_worker_end_with_their_window() -> None:
    other = str(uuid5(NAMESPACE_URL, "another window"))
    facts = FactsOfAJob().opened().leased().started("parse").handed_back()
    facts.leased(other).started("parse", other).finished("parse", window=other).committed(other)
    events = emitted(facts.changed(JobState.DONE, committed=3))
    assert_runs_end(events)
    assert_tree(events)
    of(events, "auto.window", "FAIL")
    assert of(events, "auto.parse", "FAIL")["run"]["facets"]["errorMessage"]["message"].startswith(
        "the process of the run ended"
    )
    assert of(events, "auto.window", "COMPLETE")["run"]["runId"] == other


def test_a_window_that_is_run_again_is_another_run_with_its_attempt() -> None:
    facts = FactsOfAJob().opened().leased().handed_back("stopped")
    facts.add(WindowLeased(), facts.documents, window=WINDOW).committed()
    events = emitted(facts.changed(JobState.DONE, committed=3))
    assert_runs_end(events)
    complete = of(events, "auto.window", "COMPLETE")
    assert complete["run"]["runId"] != WINDOW
    assert complete["run"]["facets"]["medkg_retryAttempt"]["attempt"] == 2


def test_a_stage_that_another_process_starts_again_is_another_run() -> None:
    facts = FactsOfAJob().opened().leased().started("embed")
    facts.add(WindowLeased(), facts.documents, window=WINDOW).started("embed").finished("embed").committed()
    events = emitted(facts.changed(JobState.DONE, committed=3))
    assert_runs_end(events)
    first, second = of(events, "auto.embed", "FAIL"), of(events, "auto.embed", "COMPLETE")
    assert first["run"]["runId"] != second["run"]["runId"]
    assert second["run"]["facets"]["medkg_retryAttempt"]["attempt"] == 2


def test_an_observed_retry_is_reported_while_the_stage_runs() -> None:
    retried = StageRetried(stage="embed", attempt=1, backoff_ms=250, codes={"MEDKG-420": 2})
    facts = FactsOfAJob().opened().leased().started("embed")
    facts.add(retried, facts.documents[:1]).finished("embed").committed().changed(JobState.DONE, committed=3)
    facet = of(emitted(facts), "auto.embed", "RUNNING")["run"]["facets"]["medkg_retryAttempt"]
    check(own_registry(), facet, facet["_schemaURL"])
    assert (facet["failedAttempt"], facet["backoffMs"], facet["codes"]) == (1, 250, {"MEDKG-420": 2})


def test_a_retry_without_documents_is_that_of_the_only_window_where_its_stage_runs() -> None:
    retried = StageRetried(stage="embed", attempt=1, backoff_ms=250, codes={"MEDKG-420": 2})
    other = str(uuid5(NAMESPACE_URL, "another window"))
    alone = FactsOfAJob().opened().leased().started("embed").add(retried)
    assert of(emitted(alone), "auto.embed", "RUNNING")
    unclear = FactsOfAJob().opened().leased().started("embed").leased(other).started("embed", other)
    assert [event for event in emitted(unclear.add(retried)) if event["eventType"] == "RUNNING"] == []


def test_a_cancelled_job_aborts_and_so_do_its_windows() -> None:
    facts = FactsOfAJob().opened().leased().started("parse")
    facts.changed(JobState.CANCELLED, pending=3).handed_back("the job was cancelled")
    events = emitted(facts, batch=2)
    assert_runs_end(events)
    assert {event["job"]["name"] for event in events if event["eventType"] == "ABORT"} == {
        "auto",
        "auto.window",
        "auto.parse",
    }


def test_a_window_ends_when_its_last_document_is_erased() -> None:
    facts = FactsOfAJob(documents=[a_document(0)]).opened().leased()
    erased = hashlib.sha256(b"oncology/files/trial-0.md").hexdigest()
    events = emitted(facts.add(DocumentErased(key_hashes=(erased,))).changed(JobState.DONE, skipped=1))
    assert_runs_end(events)


def test_a_document_that_is_erased_already_is_not_waited_for() -> None:
    facts = FactsOfAJob(documents=[None, a_document(1)]).opened().leased()
    facts.documents = facts.documents[1:]
    assert_runs_end(emitted(facts.committed().changed(JobState.DONE, committed=1)))


def test_a_reader_that_missed_the_beginning_still_gives_whole_runs() -> None:
    facts = FactsOfAJob().whole()
    for missed in range(1, len(facts.facts) - 1):
        events = emitted(FactsOfAJob(facts=facts.facts[missed:]))
        assert_runs_end(events)
    start = of(emitted(FactsOfAJob(facts=facts.facts[-1:])), "auto", "START")
    opened = facts.facts[0].happened_at
    assert start["eventTime"] == emitted(FactsOfAJob(facts=facts.facts[:1]))[0]["eventTime"]
    assert opened == facts.facts[-1].happened_at - facts.facts[-1].body.seconds  # type: ignore[union-attr]


def test_what_a_stalled_job_does_later_is_added_to_its_ended_run() -> None:
    facts = FactsOfAJob().opened().changed(JobState.STALLED, pending=1)
    facts.add(JobChanged(state=JobState.DONE, counts=DocumentCounts(total=1, committed=1), seconds=9))
    events = emitted(facts)
    assert [event["eventType"] for event in events] == ["START", "FAIL", "OTHER"]


def test_many_paths_are_one_dataset_their_common_folder() -> None:
    few = emitted(FactsOfAJob().opened("/a/x.md", "/a/y.md"))[0]
    many = emitted(FactsOfAJob().opened(*(f"/a/b/{number}.md" for number in range(51))))[0]
    assert [each["name"] for each in few["inputs"]] == ["/a/x.md", "/a/y.md"]
    assert [each["name"] for each in many["inputs"]] == ["/a/b"]


PUBLISHED = {
    "MedkgDocumentCountsRunFacet.json": "38cc84fabd59",
    "MedkgGpuUtilizationRunFacet.json": "5446548e8e7b",
    "MedkgModelVersionRunFacet.json": "9cfd20c9d7a4",
    "MedkgRetryAttemptRunFacet.json": "9b6885fd5f4f",
}
"""Beginning of the sha256 of each published schema."""
