"""Gates: documents wait, and leave once each, opened, failed or overdue."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    GATE,
    MINERU,
    OTHER,
    READY,
    TIMEOUT,
    Clock,
    a_job,
    an_item,
    at_the_gate,
    claimed,
    commit_all,
    counts,
    doc_ids,
    fingerprint_of,
    leased_tasks,
    request_conversions,
    resumed,
    status_of,
    sweep,
    taken,
    wait_at_gate,
)
from orchestration.contracts import GateSweep, JobState, Ledger, LedgerTable, PdfTaskState, Phase
from orchestration.errors import DagsterGateConditionError, LeaseLostError


class GateSuite:
    """Promises of `ledger.gates`; part of LedgerSuite."""

    # --- waiting ------------------------------------------------------------------------------------

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
            wait_at_gate(ledger, window_id, contexts, OTHER)
        assert status_of(ledger, "1") == "running"

    def test_a_field_is_earned_by_documents_that_the_window_still_has(self, ledger: Ledger) -> None:
        job_id = a_job(ledger, an_item("1"), an_item("2"))
        window_id = claimed(ledger, job_id)
        contexts = taken(ledger, window_id)
        ledger.gates.set_field(window_id, "pdf_downloaded", [contexts[0].key])
        wait_at_gate(ledger, window_id, contexts)
        downloaded = {
            document.key.doc_id: document.pdf_downloaded for document in ledger.gates.waiting(TENANT)
        }
        assert downloaded == {"1": True, "2": False}

    # --- leaving ------------------------------------------------------------------------------------

    def test_ready_documents_pass_once_and_the_others_wait_on(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", "2")
        (first, _) = leased_tasks(ledger)
        ledger.pdf_tasks.mark_submitted(first, "t")
        ledger.pdf_tasks.mark_done(first)
        assert sweep(ledger) == GateSweep(opened=1, waiting=1)
        assert sweep(ledger) == GateSweep(waiting=1)
        assert (counts(ledger, job_id).pending, counts(ledger, job_id).waiting) == (1, 1)
        assert ledger.jobs.settle(job_id) is JobState.OPEN

    def test_what_passed_is_claimed_once_and_for_the_second_phase_alone(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        sweep(ledger)
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
        request_conversions(ledger, [before], done=True)
        wait_at_gate(ledger, window_id, [before])
        sweep(ledger)
        (after,) = taken(ledger, resumed(ledger, job_id))
        assert (after.job_id, after.correlation_id) == (before.job_id, before.correlation_id)

    def test_a_resumed_document_that_is_handed_back_is_resumed_again(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        sweep(ledger)
        window_id = resumed(ledger, job_id)
        taken(ledger, window_id)
        ledger.windows.release(window_id, "its worker died")
        assert doc_ids(taken(ledger, resumed(ledger, job_id))) == ["1"]

    def test_a_copy_from_before_gates_noted_their_pass_keeps_the_phase(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        sweep(ledger)
        at_the_gate(ledger, "2", job_id="job-2")
        ledger.copies.import_tables(_tables_without(ledger, "gate_passed_at"))
        assert ledger.windows.claim(job_id, 100) is None
        assert [row.key.doc_id for row in ledger.gates.waiting(TENANT)] == ["2"]
        assert doc_ids(taken(ledger, resumed(ledger, job_id))) == ["1"]

    def test_a_resumed_document_commits_and_ends_its_job(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        sweep(ledger)
        commit_all(ledger, resumed(ledger, job_id))
        assert counts(ledger, job_id).committed == 1
        assert ledger.jobs.settle(job_id) is JobState.DONE
        assert ledger.gates.needed_payloads() == set()

    def test_an_artifact_is_needed_until_its_documents_are_through(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        assert ledger.gates.needed_payloads() == {"gates/w.parquet"}
        sweep(ledger)
        taken(ledger, resumed(ledger, job_id))
        assert ledger.gates.needed_payloads() == {"gates/w.parquet"}

    def test_a_gate_for_an_operator_opens_by_hand_alone(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", "2", done=True)
        assert sweep(ledger, opens=False) == GateSweep(waiting=2)
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
        assert sweep(ledger) == GateSweep(waiting=1)
        clock.seconds += 1
        assert sweep(ledger) == GateSweep(overdue=1)
        (letter,) = ledger.dead_letters.find(TENANT)
        assert (letter.failure.code, letter.failure.stage) == (DagsterGateConditionError.code, GATE.name)
        assert "waited 900 s at gate pdf_ready of auto for pdf_ir_ready" in letter.failure.message
        assert "mineru has its PDF as queued" in letter.failure.message
        assert (counts(ledger, job_id).failed, ledger.jobs.settle(job_id)) == (1, JobState.DONE)
        assert leased_tasks(ledger) == []

    def test_a_ready_document_passes_even_if_it_waited_long(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1", done=True)
        clock.seconds += TIMEOUT
        assert sweep(ledger) == GateSweep(opened=1)

    def test_listing_a_waiting_document_again_waits_with_it(self, ledger: Ledger) -> None:
        at_the_gate(ledger, "1")
        later = a_job(ledger, an_item("1"), job_id="job-2")
        assert counts(ledger, later).waiting == 1

    def test_changed_content_takes_a_document_from_its_gate_to_the_first_phase(self, ledger: Ledger) -> None:
        earlier = at_the_gate(ledger, "1", done=True)
        later = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        assert sweep(ledger) == GateSweep()
        assert ledger.windows.claim(later, 100, phase=Phase.SECOND) is None
        commit_all(ledger, claimed(ledger, later))
        assert counts(ledger, earlier).committed == counts(ledger, later).committed == 1

    def test_a_replayed_document_starts_again(self, ledger: Ledger, clock: Clock) -> None:
        at_the_gate(ledger, "1")
        clock.seconds += TIMEOUT
        sweep(ledger)
        (letter,) = ledger.dead_letters.find(TENANT)
        again = ledger.jobs.summary("job-1").submission.model_copy(update={"job_id": "job-2"})
        ledger.dead_letters.replay([letter.id], again, fingerprint_of)
        assert ledger.windows.claim("job-2", 100, phase=Phase.SECOND) is None
        assert doc_ids(taken(ledger, claimed(ledger, "job-2"))) == ["1"]

    def test_a_deleted_document_leaves_the_gate(self, ledger: Ledger) -> None:
        job_id = at_the_gate(ledger, "1", done=True)
        ledger.documents.delete([ledger.gates.waiting(TENANT)[0].key])
        assert sweep(ledger) == GateSweep()
        assert ledger.jobs.settle(job_id) is JobState.DONE
        assert leased_tasks(ledger) == []


def _tables_without(ledger: Ledger, column: str) -> dict[str, LedgerTable]:
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
