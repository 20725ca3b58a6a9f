"""What `ledger.outbox` promises: every change of a document's state is a fact, in order, for each reader."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    GATE,
    LEASE_SECONDS,
    OTHER,
    OWNER,
    TIMEOUT,
    Clock,
    a_broken_item,
    a_commit,
    a_failure,
    a_job,
    a_key,
    a_submission,
    an_item,
    claimed,
    commit_all,
    everyone_alive,
    fingerprint_of,
    taken,
)
from orchestration.contracts import Ledger, StageReport
from orchestration.contracts.facts import (
    DocumentErased,
    DocumentFailed,
    Fact,
    JobChanged,
    JobListed,
    JobOpened,
    OutboxDropped,
    RateLimited,
    StageAbandoned,
    StageFinished,
)
from orchestration.contracts.outbox import Observation
from orchestration.errors import LeaseLostError, PlaneUnavailableError, UsageError

__all__ = ["OutboxSuite"]


class OutboxSuite:
    """Promises of `ledger.outbox`; part of LedgerSuite."""

    def test_a_window_has_its_facts_in_order(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        first, second = taken(ledger, window)
        ledger.outcomes.begin(window, "parse", [first, second])
        report = _a_report(job, window)
        ledger.outcomes.advance(window, "parse", [second], [a_failure(first)], {"2": 1}, report, [3])
        intent = ledger.commits.open_intent(TENANT, OWNER, [second.key])
        ledger.outcomes.finish(window, OWNER, [a_commit(second, intent.intent_id)])
        ledger.jobs.settle(job)
        facts = ledger.outbox.read(0, 100)
        assert [(fact.body.kind, _ids(fact)) for fact in facts] == [
            ("job.opened", ""),
            ("job.listed", ""),
            ("document.queued", "1 2"),
            ("job.changed", ""),
            ("window.claimed", "1 2"),
            ("window.leased", "1 2"),
            ("stage.started", "1 2"),
            ("stage.finished", "1 2"),
            ("document.failed", "1"),
            ("document.committed", "2"),
            ("job.changed", ""),
        ]
        assert [fact.position for fact in facts] == list(range(1, 12))
        finished = facts[7].body
        assert isinstance(finished, StageFinished)
        assert finished.outputs == (0, 3)
        assert [(failure.index, failure.stage) for failure in finished.failures] == [(0, "parse")]
        assert finished.report == report
        assert facts[7].documents[0] is not None
        assert facts[7].documents[0].correlation_id == first.correlation_id
        assert (facts[7].job_id, facts[7].window_id, facts[7].pipeline_name) == (job, window, "auto")
        ended = facts[-1].body
        assert isinstance(ended, JobChanged)
        assert (ended.counts.committed, ended.counts.failed, ended.counts.total) == (1, 1, 2)

    def test_what_was_rolled_back_is_no_fact(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        before = len(ledger.outbox.read(0, 100))
        with pytest.raises(LeaseLostError):
            ledger.outcomes.finish(window, OTHER, [a_commit(ctx) for ctx in contexts])
        assert len(ledger.outbox.read(0, 100)) == before

    def test_a_listing_counts_what_is_skipped_and_names_what_fails(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        before = len(ledger.outbox.read(0, 100))
        a_job(ledger, an_item("1"), a_broken_item("2"), an_item("3"), job_id="job-2")
        facts = ledger.outbox.read(before, 100)
        listed = next(fact.body for fact in facts if isinstance(fact.body, JobListed))
        assert (listed.counts.total, listed.counts.skipped, listed.counts.pending) == (3, 1, 1)
        (failed,) = [fact for fact in facts if isinstance(fact.body, DocumentFailed)]
        assert (_ids(failed), failed.job_id) == ("2", "job-2")
        assert [_ids(fact) for fact in facts if fact.body.kind == "document.queued"] == ["3"]

    def test_an_unchanged_document_that_was_fetched_is_skipped(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        window = claimed(ledger, a_job(ledger, an_item("1", None), job_id="job-2"))
        before = len(ledger.outbox.read(0, 100))
        contexts = [ctx.with_metadata(version="v1") for ctx in taken(ledger, window)]
        assert ledger.outcomes.record_versions(contexts) == []
        assert _kinds(ledger, before)[-1] == ("document.skipped", "1")

    def test_documents_that_come_back_are_handed_back(self, ledger: Ledger, clock: Clock) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        taken(ledger, window)
        before = len(ledger.outbox.read(0, 100))
        ledger.windows.release(window, "run ended")
        clock.seconds += 1
        again = claimed(ledger, "job-1")
        taken(ledger, again)
        clock.seconds += LEASE_SECONDS + 1
        ledger.windows.reclaim(everyone_alive)
        assert _kinds(ledger, before) == [
            ("document.handed-back", "1"),
            ("window.claimed", "1"),
            ("window.leased", "1"),
            ("document.handed-back", "1"),
        ]

    def test_a_repeated_lease_is_one_fact(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        for _ in range(3):
            taken(ledger, window)
        assert [kind for kind, _ in _kinds(ledger)].count("window.leased") == 1

    def test_a_gate_is_reached_and_opened(self, ledger: Ledger, clock: Clock) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
        contexts = taken(ledger, window)
        ledger.gates.wait_at(window, OWNER, GATE.name, "payload", [ctx.key for ctx in contexts])
        before = len(ledger.outbox.read(0, 100))
        ledger.gates.let_pass(ledger.gates.waiting(TENANT, [a_key("1")]))
        clock.seconds += TIMEOUT + 1
        ledger.gates.sweep(GATE, {"pdf_ir_ready": True}, TIMEOUT)
        assert _kinds(ledger)[before - 1] == ("gate.reached", "1 2")
        assert _kinds(ledger, before) == [("gate.opened", "1"), ("document.failed", "2")]

    def test_a_stage_that_no_service_answered_is_abandoned(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        contexts = taken(ledger, window)
        ledger.outcomes.abandon(window, "embed", contexts, PlaneUnavailableError("no plane"))
        body = ledger.outbox.read(0, 100)[-1].body
        assert isinstance(body, StageAbandoned)
        assert (body.stage, body.code) == ("embed", PlaneUnavailableError.code)

    def test_deleted_and_queued_again_are_facts(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        before = len(ledger.outbox.read(0, 100))
        ledger.documents.requeue([a_key("1")])
        ledger.documents.delete([a_key("2")])
        assert _kinds(ledger, before) == [("document.queued", "1"), ("document.deleted", "2")]

    def test_an_erased_document_is_in_no_fact(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("secret-1"), an_item("2"), a_broken_item("secret-3", "secret-1 again"))
        window = claimed(ledger, job)
        first, second = taken(ledger, window)
        failures = [a_failure(first), a_failure(second)]
        ledger.outcomes.advance(window, "parse", [], failures, {}, _a_report(job, window), [])
        ledger.documents.delete([a_key("secret-1"), a_key("secret-3")])
        ledger.documents.erase([a_key("secret-1"), a_key("secret-3")])
        facts = ledger.outbox.read(0, 100)
        assert "secret" not in "".join(fact.model_dump_json() for fact in facts)
        erased = facts[-1].body
        assert isinstance(erased, DocumentErased)
        assert len(erased.key_hashes) == 2
        finished = next(fact for fact in facts if isinstance(fact.body, StageFinished))
        assert _ids(finished) == "- 2"

    def test_a_document_queued_again_keeps_its_correlation_id(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        commit_all(ledger, window)
        ledger.documents.requeue([ctx.key])
        (document,) = ledger.outbox.read(0, 100)[-1].documents
        assert document is not None
        assert document.correlation_id == ctx.correlation_id

    def test_messages_that_quote_an_erased_document_go_and_others_stay(self, ledger: Ledger) -> None:
        items = [an_item("1", uri="/data/one.txt"), an_item("2"), an_item("3")]
        job = a_job(ledger, *items)
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        messages = ("of itself", "like /data/one.txt and 1", "in 2010 and in /data/one.txt2")
        failures = [
            a_failure(ctx).model_copy(update={"message": message})
            for ctx, message in zip(contexts, messages, strict=True)
        ]
        ledger.outcomes.abandon(window, "embed", contexts, PlaneUnavailableError("not /data/one.txt"))
        ledger.outcomes.advance(window, "parse", [], failures, {})
        ledger.documents.delete([a_key("1")])
        ledger.documents.erase([a_key("1")])
        bodies = [fact.body for fact in ledger.outbox.read(0, 100)]
        (abandoned,) = [body for body in bodies if isinstance(body, StageAbandoned)]
        (failed,) = [body for body in bodies if isinstance(body, DocumentFailed)]
        assert abandoned.message == "(erased)"
        assert [failure.message for failure in failed.failures] == [
            "(erased)",
            "(erased)",
            "in 2010 and in /data/one.txt2",
        ]

    def test_a_path_of_an_erased_document_is_in_no_request(self, ledger: Ledger) -> None:
        submission = a_submission()
        request = submission.request.model_copy(update={"paths": ("/data/secret.jsonl", "/data/other")})
        ledger.jobs.open(submission.model_copy(update={"request": request}))
        item = an_item("1", uri="/data/secret.jsonl")
        ledger.jobs.enqueue("job-1", [item], fingerprint_of)
        ledger.documents.delete([a_key("1")])
        ledger.documents.erase([a_key("1")])
        opened = ledger.outbox.read(0, 1)[0].body
        assert isinstance(opened, JobOpened)
        assert opened.request is not None
        assert opened.request.paths == ("(erased)", "/data/other")

    def test_observations_are_facts(self, ledger: Ledger) -> None:
        waited = RateLimited(stage="web", waits=(0.5, 0.25))
        ledger.outbox.note([Observation(waited, 7.0, TENANT, "job-1", "auto", (("pubmed", "1"),))])
        (fact,) = ledger.outbox.read(0, 10)
        assert (fact.body, fact.happened_at, _ids(fact)) == (waited, 7.0, "1")

    def test_reading_goes_on_behind_a_position(self, ledger: Ledger) -> None:
        _note(ledger, 5)
        assert [fact.position for fact in ledger.outbox.read(2, 2)] == [3, 4]
        _note(ledger, 1)
        assert [fact.position for fact in ledger.outbox.read(4, 10)] == [5, 6]
        assert ledger.outbox.read(6, 10) == []

    def test_a_reader_has_one_owner_and_keeps_its_place(self, ledger: Ledger, clock: Clock) -> None:
        outbox = ledger.outbox
        assert outbox.lease("kafka", OWNER) == (0, "")
        assert outbox.lease("kafka", OTHER) is None
        assert outbox.lease("file", OTHER) == (0, "")
        outbox.advance("kafka", OWNER, 3, "totals")
        clock.seconds += LEASE_SECONDS + 1
        assert outbox.lease("kafka", OTHER) == (3, "totals")
        with pytest.raises(LeaseLostError):
            outbox.advance("kafka", OWNER, 4)
        outbox.release("kafka", OTHER, "the broker does not answer")
        assert outbox.lease("kafka", OWNER) == (3, "totals")

    def test_the_state_says_who_is_behind_and_why(self, ledger: Ledger) -> None:
        _note(ledger, 3)
        ledger.outbox.lease("kafka", OWNER)
        ledger.outbox.advance("kafka", OWNER, ledger.outbox.read(0, 10)[0].position)
        ledger.outbox.note_problem("kafka", OWNER, "no broker")
        state = ledger.outbox.state()
        (reader,) = state.readers
        assert (state.facts, reader.name, reader.behind, reader.owner, reader.problem) == (
            3,
            "kafka",
            2,
            OWNER,
            "no broker",
        )
        ledger.outbox.advance("kafka", OWNER, 3)
        (reader,) = ledger.outbox.state().readers
        assert (reader.behind, reader.oldest_at, reader.problem) == (0, None, None)

    def test_a_reader_can_read_again_and_be_forgotten(self, ledger: Ledger) -> None:
        _note(ledger, 3)
        ledger.outbox.lease("kafka", OWNER)
        ledger.outbox.advance("kafka", OWNER, 3)
        ledger.outbox.rewind("kafka", 1)
        assert ledger.outbox.lease("kafka", OTHER) == (1, "")
        ledger.outbox.forget("kafka")
        assert ledger.outbox.state().readers == ()
        with pytest.raises(UsageError, match="kafka"):
            ledger.outbox.rewind("kafka", 0)
        with pytest.raises(UsageError, match="kafka"):
            ledger.outbox.forget("kafka")

    def test_facts_expire_once_all_readers_had_them(self, ledger: Ledger, clock: Clock) -> None:
        _note(ledger, 4, at=clock.seconds)
        ledger.outbox.lease("kafka", OWNER)
        ledger.outbox.read(0, 10)
        ledger.outbox.advance("kafka", OWNER, 2)
        later = clock.seconds + 10
        assert ledger.outbox.prune(later, 100, ["kafka"]) == {}
        assert [fact.position for fact in ledger.outbox.read(0, 10)] == [3, 4]
        assert ledger.outbox.prune(later, 100, []) == {}
        assert [fact.position for fact in ledger.outbox.read(0, 10)] == [4]
        _note(ledger, 1)
        assert [fact.position for fact in ledger.outbox.read(0, 10)] == [4, 5]

    def test_a_full_outbox_drops_the_oldest_and_says_so(self, ledger: Ledger, clock: Clock) -> None:
        _note(ledger, 10, at=clock.seconds)
        ledger.outbox.lease("kafka", OWNER)
        ledger.outbox.read(0, 100)
        ledger.outbox.advance("kafka", OWNER, 2)
        assert ledger.outbox.prune(0, 4, ["kafka"]) == {"kafka": 4}
        facts = ledger.outbox.read(0, 100)
        assert [fact.position for fact in facts] == [7, 8, 9, 10, 11]
        assert facts[-1].body == OutboxDropped(reader="kafka", facts=4)
        (reader,) = ledger.outbox.state().readers
        assert (reader.position, reader.dropped) == (6, 4)

    def test_the_position_of_a_moment(self, ledger: Ledger) -> None:
        for moment in (10.0, 20.0, 30.0):
            _note(ledger, 1, at=moment)
        assert [ledger.outbox.position_at(moment) for moment in (5.0, 20.0, 25.0, 99.0)] == [0, 1, 2, 3]


def _note(ledger: Ledger, number: int, at: float = 1.0) -> None:
    for _ in range(number):
        ledger.outbox.note([Observation(RateLimited(stage="web", waits=(1.0,)), at)])


def _kinds(ledger: Ledger, after: int = 0) -> list[tuple[str, str]]:
    return [(fact.body.kind, _ids(fact)) for fact in ledger.outbox.read(after, 100)]


def _ids(fact: Fact) -> str:
    documents: Sequence[object] = fact.documents
    return " ".join("-" if each is None else each.key.doc_id for each in fact.documents) if documents else ""


def _a_report(job: str, window: str) -> StageReport:
    return StageReport(
        job_id=job,
        window_id=window,
        stage="parse",
        documents_in=2,
        documents_out=1,
        failed=1,
        retried=1,
        items_out=3,
        started_at=1,
        seconds=1,
        cpu_seconds=1,
    )
