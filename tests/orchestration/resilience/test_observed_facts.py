"""Decisions of guards become facts of the outbox, and cost no call when the ledger takes none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.assembly.assembled import Assembly
from orchestration.assembly.observed_facts import MOST, ObservedFacts
from orchestration.contracts.facts import (
    BreakerChanged,
    RateLimited,
    SearchServed,
    ServiceWaited,
    StageRetried,
)
from orchestration.contracts.outbox import Observation
from orchestration.errors import DagsterResourceUnavailableError, PlaneUnavailableError, ServiceError
from orchestration.resilience.decisions import (
    BreakerMoved,
    BreakerState,
    Decision,
    DocumentIds,
    GaveUp,
    GuardedCall,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
)
from orchestration.settings import load_settings

CALL = GuardedCall(
    guard="auto/embed",
    resource="vllm:8000",
    stage="embed",
    tenant="default",
    job="j1",
    documents=(DocumentIds("1.md", "c1", "files"), DocumentIds("2", "c2")),
)
FAILED = ServiceError("it answered 500.")
DECISIONS: tuple[Decision, ...] = (
    RetryScheduled(CALL, 2, 5, 0.25, (FAILED, FAILED)),
    ServiceAwaited(CALL, 1, 3.0, PlaneUnavailableError("it starts.")),
    BreakerMoved(CALL, "open", 60.0, FAILED),
    RateLimitWaited(CALL, 0.5),
    RateLimitWaited(CALL, 1.5),
    GaveUp(CALL, 5, 9.0, (FAILED,)),
)


def collected(decisions: Sequence[Decision]) -> list[Observation]:
    """What is noted of the decisions."""
    noted: list[Observation] = []
    facts = ObservedFacts(lambda: noted.extend)
    for decision in decisions:
        facts(decision)
    facts.close()
    return noted


def test_each_kind_of_decision_has_its_fact_and_waits_of_a_stage_are_one() -> None:
    noted = collected(DECISIONS)
    assert [each.body for each in noted] == [
        StageRetried(stage="embed", attempt=2, backoff_ms=250, codes={FAILED.code: 2}),
        ServiceWaited(stage="embed", resource="vllm:8000", code="MEDKG-405", wait_ms=3_000),
        BreakerChanged(stage="auto/embed", resource="vllm:8000", state="open", code=FAILED.code),
        RateLimited(stage="embed", waits=(0.5, 1.5)),
    ]
    of = {(each.tenant_id, each.job_id, each.pipeline_name) for each in noted}
    assert of == {("default", "j1", "auto")}
    assert noted[0].doc_ids == (("files", "1.md"),)


def test_many_calls_that_wait_for_one_service_are_one_fact() -> None:
    away = PlaneUnavailableError("it starts.")
    waits = [ServiceAwaited(CALL, 1, seconds, away) for seconds in (0.5, 1.0, 2.0)]
    (noted,) = collected(waits * 40)
    assert noted.body == ServiceWaited(stage="embed", resource="vllm:8000", code="MEDKG-405", wait_ms=2_000)


def test_a_breaker_that_many_calls_report_is_one_fact_per_state() -> None:
    states: tuple[BreakerState, ...] = ("open", "open", "half-open", "closed", "closed", "open")
    noted = collected([BreakerMoved(CALL, state, 0.0, None) for state in states])
    reported = [each.body.state for each in noted if isinstance(each.body, BreakerChanged)]
    assert reported == ["open", "half-open", "closed", "open"]


def test_a_call_to_the_web_has_no_pipeline() -> None:
    call = GuardedCall(guard="web", resource="api.example.org", stage="ingest")
    (noted,) = collected([BreakerMoved(call, "closed", 0.0, None)])
    assert noted.pipeline_name == ""
    assert noted.body == BreakerChanged(stage="web", resource="api.example.org", state="closed")


def test_facts_that_the_ledger_does_not_take_are_dropped_without_an_error() -> None:
    def unavailable(_: Sequence[Observation]) -> None:
        raise DagsterResourceUnavailableError("no ledger.")

    facts = ObservedFacts(lambda: unavailable)
    facts(DECISIONS[0])
    facts.close()


def test_memory_is_bounded() -> None:
    assert len(collected([DECISIONS[0]] * (MOST + 5))) <= MOST + 5
    facts = ObservedFacts(lambda: lambda _: None)
    facts.close()
    for _ in range(MOST + 5):
        facts(DECISIONS[0])
    assert len(facts._collected) == MOST


def test_the_guards_of_a_data_folder_note_facts_in_its_ledger(tmp_path: Path) -> None:
    assembly = Assembly(load_settings(data_dir=tmp_path))
    for observe in assembly.guard_observers:
        observe(DECISIONS[2])
    assembly.observed_facts.close()
    (fact,) = assembly.ledger.outbox.read(0, 10)
    assert fact.body == BreakerChanged(
        stage="auto/embed", resource="vllm:8000", state="open", code=FAILED.code
    )
    assembly.close()


def test_searches_of_a_tenant_are_one_fact() -> None:
    noted: list[Observation] = []
    facts = ObservedFacts(lambda: noted.extend)
    facts.search("default", {"bm25": 0.5, "total": 0.75}, ())
    facts.search("default", {"bm25": 0.25, "total": 0.5}, ("dense",))
    facts.close()
    (searched,) = noted
    assert (searched.tenant_id, searched.body) == (
        "default",
        SearchServed(legs={"bm25": (0.5, 0.25), "total": (0.75, 0.5)}, degraded={"dense": 1}),
    )
