"""PDF tasks: leased to one owner, tried again, and done or failed once."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    MINERU,
    OTHER,
    OWNER,
    Clock,
    a_job,
    an_item,
    at_the_gate,
    claimed,
    convert,
    counts,
    leased_tasks,
    request_conversions,
    status_of,
    sweep,
    taken,
    wait_at_gate,
)
from orchestration.contracts import AskedConverter, GateSweep, Ledger, PdfTaskRequest, PdfTaskState


class PdfTaskSuite:
    """Promises of `ledger.pdf_tasks`; part of LedgerSuite."""

    def test_a_converter_gets_the_oldest_and_not_more_than_it_takes(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1", "2", "3")
        first = leased_tasks(ledger, most=2)
        assert [task.key.doc_id for task in first] == ["1", "2"]
        for task in first:
            ledger.pdf_tasks.mark_submitted(task, "t")
        assert [task.key.doc_id for task in leased_tasks(ledger, most=2)] == ["1", "2"]
        assert ledger.pdf_tasks.converters() == [MINERU]

    def test_a_converter_with_other_options_is_another(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"))
        (ctx,) = taken(ledger, claimed(ledger, job_id))
        german = AskedConverter(name="mineru", options='{"language": "de"}')
        ledger.pdf_tasks.request(
            german, "pdf_ir", 2, [PdfTaskRequest(ctx=ctx, pdf_key="p", ir_key="i", done=False)]
        )
        assert leased_tasks(ledger) == []
        assert ledger.pdf_tasks.converters() == [german]

    def test_tasks_of_a_live_owner_are_left_to_it_and_those_of_a_dead_one_taken(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        leased_tasks(ledger)
        assert leased_tasks(ledger, owner=OTHER) == []
        alive = ledger.pdf_tasks.lease(MINERU, OTHER, 5, lambda owner: owner != OWNER)
        assert [task.key.doc_id for task in alive] == ["1"]

    def test_a_lease_on_a_task_expires(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1")
        leased_tasks(ledger)
        clock.seconds += 61
        assert len(leased_tasks(ledger, owner=OTHER)) == 1

    def test_a_failed_attempt_is_tried_again_and_the_last_one_fails_the_document(
        self, ledger: Ledger
    ) -> None:
        job_id = at_the_gate(ledger, "1")
        for attempt in (1, 2):
            (task,) = leased_tasks(ledger)
            assert (task.state, task.attempts) == (PdfTaskState.QUEUED, attempt - 1)
            ledger.pdf_tasks.mark_submitted(task, "t")
            ledger.pdf_tasks.mark_failed(task, "MEDKG-420", f"attempt {attempt} failed", for_good=False)
        assert leased_tasks(ledger) == []
        assert sweep(ledger) == GateSweep(failed=1)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.stage, letter.failure.attempts) == ("pdf_ir", 2)
        assert letter.failure.message == "attempt 2 failed"
        assert counts(ledger, job_id).failed == 1

    def test_a_pdf_at_fault_is_not_tried_again(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        (task,) = leased_tasks(ledger)
        ledger.pdf_tasks.mark_failed(task, "MEDKG-220", "encrypted", for_good=True)
        assert sweep(ledger) == GateSweep(failed=1)

    def test_a_conversion_that_failed_before_its_document_came_to_the_gate_fails_it_there(
        self, ledger: Ledger
    ) -> None:
        job_id = a_job(ledger, an_item("1"))
        window_id = claimed(ledger, job_id)
        contexts = taken(ledger, window_id)
        request_conversions(ledger, contexts)
        (task,) = leased_tasks(ledger)
        ledger.pdf_tasks.mark_failed(task, "MEDKG-220", "encrypted", for_good=True)
        assert status_of(ledger, "1") == "running"
        wait_at_gate(ledger, window_id, contexts)
        assert sweep(ledger) == GateSweep(failed=1)

    def test_what_was_asked_before_says_nothing_of_what_is_asked_now(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        at_the_gate(ledger, "1")
        (old,) = leased_tasks(ledger)
        ledger.pdf_tasks.mark_submitted(old, "t")
        clock.seconds += 1
        later = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        window_id = claimed(ledger, later)
        contexts = taken(ledger, window_id)
        request_conversions(ledger, contexts)
        wait_at_gate(ledger, window_id, contexts)
        ledger.pdf_tasks.mark_done(old)
        assert sweep(ledger) == GateSweep(waiting=1)
        convert(ledger)
        assert sweep(ledger) == GateSweep(opened=1)

    def test_objects_of_a_document_are_those_that_no_other_shares(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"), an_item("2"), an_item("3"))
        contexts = taken(ledger, claimed(ledger, job_id))
        shared = [
            PdfTaskRequest(ctx=ctx, pdf_key=key, ir_key=f"{key}-ir", done=False)
            for ctx, key in zip(contexts, ("a", "a", "b"), strict=True)
        ]
        ledger.pdf_tasks.request(MINERU, "pdf_ir", 2, shared)
        assert ledger.pdf_tasks.objects_of([]) == ledger.pdf_tasks.objects_of([contexts[0].key]) == []
        assert ledger.pdf_tasks.objects_of([contexts[2].key]) == ["b", "b-ir"]
        assert ledger.pdf_tasks.objects_of([contexts[0].key, contexts[1].key]) == ["a", "a-ir"]

    def test_an_erased_document_leaves_no_task(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        key = ledger.gates.waiting(TENANT)[0].key
        ledger.documents.delete([key])
        ledger.documents.erase([key])
        assert ledger.pdf_tasks.objects_of([key]) == []
        assert ledger.pdf_tasks.converters() == []

    def test_submitted_tasks_are_listed_by_their_ids_for_every_process(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1", "2", "3")
        for task in leased_tasks(ledger):
            if task.key.doc_id != "3":
                ledger.pdf_tasks.mark_submitted(task, f"t-{task.key.doc_id}")
        submitted = ledger.pdf_tasks.submitted(["t-1", "t-2", "t-3"])
        assert sorted(task.key.doc_id for task in submitted) == ["1", "2"]
        assert all(task.correlation_id for task in submitted)
        ledger.pdf_tasks.mark_done(submitted[0])
        assert ledger.pdf_tasks.submitted([submitted[0].task_id or ""]) == []
