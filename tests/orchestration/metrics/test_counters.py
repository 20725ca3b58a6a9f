"""Counters are a fold over facts: exact, whatever the batches and restarts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts.facts import BreakerChanged, JobOpened, ResourceChanged, StageStarted
from orchestration.contracts.jobs import JobState
from orchestration.metrics.counters import Counters, MetricsSink
from orchestration.metrics.names import MOST_SERIES, OTHER
from tests.orchestration.metrics.facts import TRACE, a_fact, a_job, a_report, a_stage, one_of_each


def folded(*bodies: object) -> Counters:
    counters = Counters()
    counters.fold([a_fact(body, place) for place, body in enumerate(bodies, start=1)])  # type: ignore[arg-type]
    return counters


@given(st.data())
def test_any_cut_into_batches_with_restarts_between_makes_the_same_state(data: st.DataObject) -> None:
    facts = data.draw(st.lists(st.sampled_from(one_of_each()), min_size=1, max_size=30))
    whole = MetricsSink().publish(facts, "")
    state, sink = "", MetricsSink()
    left = facts
    while left:
        size = data.draw(st.integers(1, len(left)))
        if data.draw(st.booleans()):
            sink = MetricsSink()  # a process that takes the reader over
        state, left = sink.publish(left[:size], state), left[size:]
    assert state == whole


def test_a_batch_that_was_not_recorded_is_not_counted_when_it_comes_again() -> None:
    first, second = one_of_each()[:1], one_of_each()[1:]
    sink = MetricsSink()
    state = sink.publish(first, "")
    sink.publish(second, state)  # the ledger did not take it
    assert sink.publish(second, state) == MetricsSink().publish([*first, *second], "")


def test_jobs_count_by_how_they_ended() -> None:
    counters = folded(
        a_job(),
        a_job(failed=1),
        a_job(failed=1, committed=0),
        a_job(JobState.STALLED),
        a_job(JobState.OPEN),
    )
    jobs = {
        labels[1]: sum(s["counts"]) for labels, s in counters.series("dagster_job_duration_seconds").items()
    }
    assert jobs == {"succeeded": 1, "partial": 1, "failed": 1, "stalled": 1}


def test_a_stage_is_observed_in_the_bucket_of_its_seconds_with_its_trace() -> None:
    counters = folded(a_stage(seconds=0.3))
    series = counters.series("dagster_stage_duration_seconds")[("parse", "success")]
    assert series["counts"][4] == 1  # (0.25, 0.5]
    assert series["sum"] == 0.3
    assert series["exemplars"] == {"4": [TRACE, 0.3, 1001.0]}


def test_retries_dead_letters_and_commits_are_counted_with_their_labels() -> None:
    counters = Counters()
    counters.fold(one_of_each())
    assert counters.series("dagster_retry_attempts_total")[("embed", "MEDKG-400")]["value"] == 3
    assert counters.series("medkg_dead_letters_total")[("parse", "MEDKG-200")]["value"] == 1
    assert counters.series("medkg_mentions_committed_total")[("auto",)]["value"] == 5
    assert counters.series("medkg_documents_finished_total")[("auto", "failed")]["value"] == 1


def test_series_of_a_pipeline_start_at_zero_when_a_job_opens_so_that_a_first_failure_is_an_increase() -> None:
    counters = folded(JobOpened(source="files", attended=True), StageStarted(stage="parse"))
    jobs = counters.series("dagster_job_duration_seconds")
    assert sum(jobs["auto", "failed"]["counts"]) == 0
    assert counters.series("medkg_documents_finished_total")["auto", "failed"]["value"] == 0
    assert ("parse", "partial") in counters.series("dagster_stage_duration_seconds")


def states_of(counters: Counters, stage: str) -> dict[str, float]:
    series = counters.series("dagster_circuit_breaker_state")
    return {state: counted["value"] for (name, state), counted in series.items() if name == stage}


def test_a_stage_has_as_many_breakers_as_resources_each_in_one_state() -> None:
    counters = folded(
        BreakerChanged(stage="web", resource="a", state="open"),
        BreakerChanged(stage="web", resource="b", state="open"),
        BreakerChanged(stage="web", resource="a", state="half-open"),
    )
    assert states_of(counters, "web") == {"open": 1, "half-open": 1, "closed": 0}


def test_a_stage_that_passes_documents_closes_the_breaker_of_a_process_that_was_killed() -> None:
    counters = folded(BreakerChanged(stage="auto/embed", state="open"), a_stage(stage="embed"))
    assert states_of(counters, "auto/embed") == {"open": 0, "half-open": 0, "closed": 1}


def test_labels_beyond_the_bound_are_summed_as_other() -> None:
    counters = folded(*(ResourceChanged(resource=f"r{n}", available=True) for n in range(MOST_SERIES + 5)))
    resources = counters.series("medkg_resource_available")
    assert len(resources) == MOST_SERIES + 1
    assert (OTHER,) in resources


def test_a_report_without_a_failure_is_a_success() -> None:
    counters = folded(a_stage(passed=0, failed=2), a_stage(passed=1, failed=1))
    assert {labels[1] for labels in counters.series("dagster_stage_duration_seconds")} == {
        "failed",
        "partial",
    }
    assert a_report().failed == 0
