"""What every ledger promises of gates: documents wait, and leave once each, opened, failed or overdue."""

from __future__ import annotations

import pytest

from medkg.testing.ledger_suite import (
    OTHER,
    OWNER,
    TENANT,
    Clock,
    a_job,
    an_item,
    claimed,
    commit_all,
    counts,
    doc_ids,
    everyone_alive,
    status_of,
    taken,
)
from orchestration.contracts import (
    AskedConverter,
    Conditions,
    Gate,
    GateSweep,
    JobState,
    Ledger,
    LedgerTable,
    PdfTask,
    PdfTaskRequest,
    PdfTaskState,
    Phase,
)
from orchestration.errors import DagsterGateConditionError, LeaseLostError
from orchestration.records import StageContext

GATE = Gate(pipeline_name="auto", pipeline_version="2026-11-23", name="pdf_ready")
MINERU = AskedConverter(name="mineru")
READY: Conditions = {"pdf_ir_ready": True}
TIMEOUT = 900.0


def at_the_gate(
    ledger: Ledger, *ids: str, done: bool = False, converter: str = "mineru", job_id: str = "job-1"
) -> str:
    """A job whose documents came to the gate, their PDFs handed over; its id."""
    a_job(ledger, *map(an_item, ids), job_id=job_id)
    window_id = claimed(ledger, job_id)
    contexts = taken(ledger, window_id)
    ask(ledger, contexts, done=done, converter=converter)
    wait(ledger, window_id, contexts)
    return job_id


def ask(ledger: Ledger, contexts: list[StageContext], done: bool = False, converter: str = "mineru") -> None:
    requests = [
        PdfTaskRequest(
            ctx=ctx, pdf_key=f"pdfs/{ctx.doc_id}", ir_key=f"pdf-ir/{ctx.doc_id}/{converter}", done=done
        )
        for ctx in contexts
    ]
    ledger.pdf_tasks.request(AskedConverter(name=converter), "pdf_ir", 2, requests)


def wait(ledger: Ledger, window_id: str, contexts: list[StageContext], owner: str = OWNER) -> int:
    return ledger.gates.wait_at(window_id, owner, GATE.name, "gates/w.parquet", [ctx.key for ctx in contexts])


def look(ledger: Ledger, opens: bool = True) -> GateSweep:
    return ledger.gates.sweep(GATE, READY, TIMEOUT, opens=opens)


def submitted_tasks(ledger: Ledger, most: int = 10, owner: str = OWNER) -> list[PdfTask]:
    return ledger.pdf_tasks.lease(MINERU, owner, most, everyone_alive)


def convert(ledger: Ledger) -> None:
    for task in submitted_tasks(ledger):
        ledger.pdf_tasks.mark_submitted(task, f"task-{task.key.doc_id}")
    for task in submitted_tasks(ledger):
        ledger.pdf_tasks.mark_done(task)


def resumed(ledger: Ledger, job_id: str) -> str:
    window_id = ledger.windows.claim(job_id, 100, phase=Phase.SECOND)
    assert window_id is not None
    return window_id


def tables_without(ledger: Ledger, column: str) -> dict[str, LedgerTable]:
    """The tables of the ledger as a copy from before `column` has them."""
    with ledger.copies.export_tables() as tables:
        return {
            table.name: LedgerTable(
                table.name,
                {name: kind for name, kind in table.columns.items() if name != column},
                iter(
                    [
                        [{name: value for name, value in row.items() if name != column} for row in rows]
                        for rows in table.rows
                    ]
                ),
            )
            for table in tables
        }


class GateSuite:
    """Subclass it beside LedgerSuite, whose fixtures it uses."""

    # --- waiting ----------------------------------------------------------------------------------

    def test_a_job_whose_documents_wait_is_waiting_and_accounts_for_them(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", "2")
        assert (counts(ledger, job_id).waiting, counts(ledger, job_id).pending) == (2, 0)
        assert ledger.jobs.settle(job_id) is JobState.WAITING
        assert ledger.gates.occupied() == ledger.gates.occupied(job_id) == [GATE]
        assert ledger.windows.claim(job_id, 100) is None

    def test_a_waiting_document_shows_why_and_since_when(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1")
        clock.seconds += 5
        at = ledger.gates.waiting(TENANT)[0]
        assert (at.key.doc_id, at.gate, clock.seconds - at.since) == ("1", GATE, 5)
        assert at.lacks(READY) == ["pdf_ir_ready"]
        assert at.pdf_task is not None
        assert (at.pdf_task.state, at.pdf_task.requested) == (PdfTaskState.QUEUED, MINERU)

    def test_other_tenants_do_not_see_who_waits(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        assert ledger.gates.waiting("other") == []

    def test_a_run_that_lost_its_window_moves_no_document_to_the_gate(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"))
        window_id = claimed(ledger, job_id)
        contexts = taken(ledger, window_id)
        with pytest.raises(LeaseLostError, match="passed to another run"):
            wait(ledger, window_id, contexts, OTHER)
        assert status_of(ledger, "1") == "running"

    def test_a_field_is_earned_by_documents_that_the_window_still_has(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"), an_item("2"))
        window_id = claimed(ledger, job_id)
        contexts = taken(ledger, window_id)
        ledger.gates.set_field(window_id, "pdf_downloaded", [contexts[0].key])
        wait(ledger, window_id, contexts)
        downloaded = {
            document.key.doc_id: document.pdf_downloaded for document in ledger.gates.waiting(TENANT)
        }
        assert downloaded == {"1": True, "2": False}

    # --- leaving ----------------------------------------------------------------------------------

    def test_ready_documents_pass_once_and_the_others_wait_on(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", "2")
        (first, _) = submitted_tasks(ledger)
        ledger.pdf_tasks.mark_submitted(first, "t")
        ledger.pdf_tasks.mark_done(first)
        assert look(ledger) == GateSweep(opened=1, waiting=1)
        assert look(ledger) == GateSweep(waiting=1)
        assert (counts(ledger, job_id).pending, counts(ledger, job_id).waiting) == (1, 1)
        assert ledger.jobs.settle(job_id) is JobState.OPEN

    def test_what_passed_is_claimed_once_and_for_the_second_phase_alone(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        look(ledger)
        assert ledger.windows.claim(job_id, 100) is None
        window_id = resumed(ledger, job_id)
        assert ledger.windows.phase_of(window_id) is Phase.SECOND
        assert ledger.windows.claim(job_id, 100, phase=Phase.SECOND) is None
        (ctx,) = taken(ledger, window_id)
        assert ledger.gates.payloads(window_id) == {ctx.key: "gates/w.parquet"}
        assert (ctx.job_id, ctx.metadata["source"]) == (job_id, "pubmed")

    def test_both_phases_have_the_same_correlation_id(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"))
        window_id = claimed(ledger, job_id)
        (before,) = taken(ledger, window_id)
        ask(ledger, [before], done=True)
        wait(ledger, window_id, [before])
        look(ledger)
        (after,) = taken(ledger, resumed(ledger, job_id))
        assert (after.job_id, after.correlation_id) == (before.job_id, before.correlation_id)

    def test_a_resumed_document_that_is_handed_back_is_resumed_again(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        look(ledger)
        window_id = resumed(ledger, job_id)
        taken(ledger, window_id)
        ledger.windows.release(window_id, "its worker died")
        assert doc_ids(taken(ledger, resumed(ledger, job_id))) == ["1"]

    def test_a_copy_from_before_gates_noted_their_pass_keeps_the_phase(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        look(ledger)
        at_the_gate(ledger, "2", job_id="job-2")
        ledger.copies.import_tables(tables_without(ledger, "gate_passed_at"))
        assert ledger.windows.claim(job_id, 100) is None
        assert [row.key.doc_id for row in ledger.gates.waiting(TENANT)] == ["2"]
        assert doc_ids(taken(ledger, resumed(ledger, job_id))) == ["1"]

    def test_a_resumed_document_commits_and_ends_its_job(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        look(ledger)
        commit_all(ledger, resumed(ledger, job_id))
        assert counts(ledger, job_id).committed == 1
        assert ledger.jobs.settle(job_id) is JobState.DONE
        assert ledger.gates.needed_payloads() == set()

    def test_an_artifact_is_needed_until_its_documents_are_through(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        assert ledger.gates.needed_payloads() == {"gates/w.parquet"}
        look(ledger)
        taken(ledger, resumed(ledger, job_id))
        assert ledger.gates.needed_payloads() == {"gates/w.parquet"}

    def test_a_gate_for_an_operator_opens_by_hand_alone(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", "2", done=True)
        assert look(ledger, opens=False) == GateSweep(waiting=2)
        first, second = ledger.gates.waiting(TENANT)
        assert ledger.gates.let_pass([first]) == 1
        assert ledger.gates.let_pass([first]) == 0
        assert doc_ids(taken(ledger, resumed(ledger, job_id))) == ["1"]
        assert [document.key for document in ledger.gates.waiting(TENANT, [second.key, first.key])] == [
            second.key
        ]
        assert ledger.gates.waiting(TENANT, []) == []

    def test_who_waits_too_long_is_a_dead_letter_that_says_for_what(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job_id = at_the_gate(ledger, "1")
        clock.seconds += TIMEOUT - 1
        assert look(ledger) == GateSweep(waiting=1)
        clock.seconds += 1
        assert look(ledger) == GateSweep(overdue=1)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.code, letter.failure.stage) == (DagsterGateConditionError.code, GATE.name)
        assert "waited 900 s at gate pdf_ready of auto for pdf_ir_ready" in letter.failure.message
        assert "mineru has its PDF as queued" in letter.failure.message
        assert (counts(ledger, job_id).failed, ledger.jobs.settle(job_id)) == (1, JobState.DONE)
        assert submitted_tasks(ledger) == []

    def test_a_ready_document_passes_even_if_it_waited_long(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1", done=True)
        clock.seconds += TIMEOUT
        assert look(ledger) == GateSweep(opened=1)

    def test_listing_a_waiting_document_again_waits_with_it(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        later = a_job(ledger, an_item("1"), job_id="job-2")
        assert counts(ledger, later).waiting == 1

    def test_changed_content_takes_a_document_from_its_gate_to_the_first_phase(self, ledger: Ledger) -> None:
        earlier = at_the_gate(ledger, "1", done=True)
        later = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        assert look(ledger) == GateSweep()
        assert ledger.windows.claim(later, 100, phase=Phase.SECOND) is None
        commit_all(ledger, claimed(ledger, later))
        assert counts(ledger, earlier).committed == counts(ledger, later).committed == 1

    def test_a_replayed_document_starts_again(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1")
        clock.seconds += TIMEOUT
        look(ledger)
        (letter,) = ledger.dead_letters.find(TENANT)
        again = ledger.jobs.summary("job-1").submission.model_copy(update={"job_id": "job-2"})
        ledger.dead_letters.replay([letter.id], again, lambda item: "f1")
        assert ledger.windows.claim("job-2", 100, phase=Phase.SECOND) is None
        assert doc_ids(taken(ledger, claimed(ledger, "job-2"))) == ["1"]

    def test_a_deleted_document_leaves_the_gate(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        ledger.documents.delete([ledger.gates.waiting(TENANT)[0].key])
        assert look(ledger) == GateSweep()
        assert ledger.jobs.settle(job_id) is JobState.DONE
        assert submitted_tasks(ledger) == []

    # --- conversions --------------------------------------------------------------------------------

    def test_a_converter_gets_the_oldest_and_not_more_than_it_takes(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1", "2", "3")
        first = submitted_tasks(ledger, most=2)
        assert [task.key.doc_id for task in first] == ["1", "2"]
        for task in first:
            ledger.pdf_tasks.mark_submitted(task, "t")
        assert [task.key.doc_id for task in submitted_tasks(ledger, most=2)] == ["1", "2"]
        assert ledger.pdf_tasks.converters() == [MINERU]

    def test_a_converter_with_other_options_is_another(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"))
        (ctx,) = taken(ledger, claimed(ledger, job_id))
        german = AskedConverter(name="mineru", options='{"language": "de"}')
        ledger.pdf_tasks.request(
            german, "pdf_ir", 2, [PdfTaskRequest(ctx=ctx, pdf_key="p", ir_key="i", done=False)]
        )
        assert submitted_tasks(ledger) == []
        assert ledger.pdf_tasks.converters() == [german]

    def test_tasks_of_a_live_owner_are_left_to_it_and_those_of_a_dead_one_taken(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        submitted_tasks(ledger)
        assert submitted_tasks(ledger, owner=OTHER) == []
        alive = ledger.pdf_tasks.lease(MINERU, OTHER, 5, lambda owner: owner != OWNER)
        assert [task.key.doc_id for task in alive] == ["1"]

    def test_a_lease_on_a_task_expires(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1")
        submitted_tasks(ledger)
        clock.seconds += 61
        assert len(submitted_tasks(ledger, owner=OTHER)) == 1

    def test_a_failed_attempt_is_tried_again_and_the_last_one_fails_the_document(
        self, ledger: Ledger
    ) -> None:
        job_id = at_the_gate(ledger, "1")
        for attempt in (1, 2):
            (task,) = submitted_tasks(ledger)
            assert (task.state, task.attempts) == (PdfTaskState.QUEUED, attempt - 1)
            ledger.pdf_tasks.mark_submitted(task, "t")
            ledger.pdf_tasks.mark_failed(task, "MEDKG-420", f"attempt {attempt} failed", for_good=False)
        assert submitted_tasks(ledger) == []
        assert look(ledger) == GateSweep(failed=1)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.stage, letter.failure.attempts) == ("pdf_ir", 2)
        assert letter.failure.message == "attempt 2 failed"
        assert counts(ledger, job_id).failed == 1

    def test_a_pdf_at_fault_is_not_tried_again(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        (task,) = submitted_tasks(ledger)
        ledger.pdf_tasks.mark_failed(task, "MEDKG-220", "encrypted", for_good=True)
        assert look(ledger) == GateSweep(failed=1)

    def test_a_conversion_that_failed_before_its_document_came_to_the_gate_fails_it_there(
        self, ledger: Ledger
    ) -> None:
        job_id = a_job(ledger, an_item("1"))
        window_id = claimed(ledger, job_id)
        contexts = taken(ledger, window_id)
        ask(ledger, contexts)
        (task,) = submitted_tasks(ledger)
        ledger.pdf_tasks.mark_failed(task, "MEDKG-220", "encrypted", for_good=True)
        assert status_of(ledger, "1") == "running"
        wait(ledger, window_id, contexts)
        assert look(ledger) == GateSweep(failed=1)

    def test_what_was_asked_before_says_nothing_of_what_is_asked_now(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        at_the_gate(ledger, "1")
        (old,) = submitted_tasks(ledger)
        ledger.pdf_tasks.mark_submitted(old, "t")
        clock.seconds += 1
        later = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window_id = claimed(ledger, later)
        contexts = taken(ledger, window_id)
        ask(ledger, contexts)
        wait(ledger, window_id, contexts)
        ledger.pdf_tasks.mark_done(old)
        assert look(ledger) == GateSweep(waiting=1)
        convert(ledger)
        assert look(ledger) == GateSweep(opened=1)

    def test_objects_of_a_document_are_those_that_no_other_shares(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"), an_item("2"), an_item("3"))
        contexts = taken(ledger, claimed(ledger, job_id))
        shared = [
            PdfTaskRequest(ctx=ctx, pdf_key=key, ir_key=f"{key}-ir", done=False)
            for ctx, key in zip(contexts, ("a", "a", "b"), strict=True)
        ]
        ledger.pdf_tasks.request(MINERU, "pdf_ir", 2, shared)
        assert ledger.pdf_tasks.objects_of([contexts[0].key]) == []
        assert ledger.pdf_tasks.objects_of([contexts[2].key]) == ["b", "b-ir"]
        assert ledger.pdf_tasks.objects_of([contexts[0].key, contexts[1].key]) == ["a", "a-ir"]

    def test_an_erased_document_leaves_no_task(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        key = ledger.gates.waiting(TENANT)[0].key
        ledger.documents.delete([key])
        ledger.documents.erase([key])
        assert ledger.pdf_tasks.objects_of([key]) == []
        assert ledger.pdf_tasks.converters() == []
