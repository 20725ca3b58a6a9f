"""Windows: reservations and leases, which end with their process or expire, and the order of claims."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    LEASE_SECONDS,
    OTHER,
    OWNER,
    Clock,
    a_commit,
    a_failure,
    a_job,
    an_item,
    claimed,
    commit_all,
    counts,
    doc_ids,
    everyone_alive,
    taken,
)
from orchestration.contracts import JobState, Ledger
from orchestration.errors import LeaseLostError


class WindowSuite:
    """Promises of `ledger.windows`; part of LedgerSuite."""

    def test_a_window_that_waits_for_its_run_keeps_documents_another_job_lists(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        second = a_job(ledger, an_item("1"), job_id="job-2")
        assert ledger.windows.claim(second, 10) is None
        assert doc_ids(taken(ledger, window)) == ["1"]

    def test_windows_are_cut_in_input_order_and_never_overlap(self, ledger: Ledger) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(5)))
        windows = [claimed(ledger, job, 2) for _ in range(3)]
        assert [doc_ids(taken(ledger, window)) for window in windows] == [["0", "1"], ["2", "3"], ["4"]]
        assert ledger.windows.claim(job, 2) is None

    def test_a_window_names_job_pipeline_and_content(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2", None))
        window = ledger.windows.lease(claimed(ledger, job), OWNER)
        assert (window.job_id, window.pipeline_name, window.pipeline_version) == (job, "auto", "2026-11-23")
        known, unknown = (document.ctx for document in window.documents)
        assert known.metadata == {"source": "pubmed", "version": "v1", "fingerprint": "f1"}
        assert "version" not in unknown.metadata
        assert known.correlation_id != unknown.correlation_id
        assert window.documents[0].source_plugin == "files"

    def test_a_hold_expires_without_counting_against_its_documents(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job = a_job(ledger, an_item("1"))
        for _ in range(4):
            claimed(ledger, job)
            assert ledger.windows.claim(job, 10) is None
            clock.seconds += LEASE_SECONDS + 1
            assert ledger.windows.reclaim(everyone_alive) == 1
        assert ledger.jobs.settle(job) is JobState.OPEN

    def test_a_hold_ends_with_its_holder_unless_a_run_has_started(self, ledger: Ledger) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(3)))
        started, held = (ledger.windows.claim(job, 1, reserved_by="launcher") for _ in range(2))
        anyones = claimed(ledger, job, 1)
        assert started and held
        taken(ledger, started)
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert [ledger.windows.reclaim(lambda process: process != "launcher") for _ in range(2)] == [1, 0]
        assert doc_ids(taken(ledger, claimed(ledger, job))) == ["1"]
        assert doc_ids(taken(ledger, anyones)) == ["2"]
        commit_all(ledger, started)
        assert counts(ledger, job).committed == 1

    def test_turns_list_each_tenant_s_windows_in_progress_and_its_last_claim(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        assert ledger.windows.tenant_loads() == {}
        first = a_job(ledger, *(an_item(str(n)) for n in range(4)), job_id="job-1", tenant_id="first")
        second = a_job(ledger, an_item("1"), job_id="job-2", tenant_id="second")
        started = claimed(ledger, first, 1)
        taken(ledger, started)
        claimed(ledger, first, 2)
        alone = ledger.windows.tenant_loads()
        claimed(ledger, second)
        both = ledger.windows.tenant_loads()
        assert [alone["first"][0], "second" in alone] == [2, False]
        assert [both["first"][0], both["second"][0]] == [2, 1]
        assert both["first"][1] < both["second"][1]
        commit_all(ledger, started)
        assert ledger.windows.tenant_loads()["first"] == (1, both["first"][1])
        clock.seconds += LEASE_SECONDS + 1
        assert ledger.windows.tenant_loads() == {
            "first": (0, both["first"][1]),
            "second": (0, both["second"][1]),
        }

    def test_a_hold_that_is_kept_up_does_not_expire(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        for _ in range(3):
            clock.seconds += LEASE_SECONDS - 1
            ledger.windows.extend_reservations([window])
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert ledger.windows.claim(job, 10) is None
        assert doc_ids(taken(ledger, window)) == ["1"]

    def test_documents_that_no_window_had_come_before_those_of_an_expired_hold(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job = a_job(ledger, *(an_item(str(number)) for number in range(4)))
        slow = claimed(ledger, job, 2)
        clock.seconds += LEASE_SECONDS + 1
        assert doc_ids(taken(ledger, claimed(ledger, job, 2))) == ["2", "3"]
        assert doc_ids(taken(ledger, slow)) == ["0", "1"]

    def test_a_dead_owner_loses_its_documents_at_once_and_cannot_commit(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        first = claimed(ledger, job)
        (ctx,) = taken(ledger, first)
        assert ledger.windows.reclaim(everyone_alive) == 0
        assert ledger.windows.reclaim(lambda owner: owner != OWNER) == 1
        second = claimed(ledger, job)
        taken(ledger, second, OTHER)
        with pytest.raises(LeaseLostError, match=first):
            ledger.outcomes.finish(first, OWNER, [a_commit(ctx)])
        commit_all(ledger, second, owner=OTHER)
        assert counts(ledger, job).committed == 1

    def test_an_expired_lease_is_taken_again_by_the_first_run_that_comes(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        taken(ledger, window)
        clock.seconds += LEASE_SECONDS + 1
        (ctx,) = taken(ledger, window, OTHER)
        with pytest.raises(LeaseLostError, match=OWNER):
            ledger.windows.renew(window, OWNER)
        with pytest.raises(LeaseLostError, match=window):
            ledger.outcomes.finish(window, OWNER, [a_commit(ctx, "i1")])
        ledger.outcomes.finish(window, OTHER, [a_commit(ctx, "i2")])
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == ["i2"]

    def test_a_live_owner_is_not_disturbed_by_a_second_run_of_its_window(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        assert doc_ids(taken(ledger, window)) == ["1"]
        assert taken(ledger, window, OTHER) == []
        with pytest.raises(LeaseLostError):
            ledger.windows.renew(window, OTHER)

    def test_a_renewed_lease_does_not_expire(self, ledger: Ledger, clock: Clock) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        taken(ledger, window)
        for _ in range(3):
            clock.seconds += LEASE_SECONDS - 1
            ledger.windows.renew(window, OWNER)
        assert ledger.windows.reclaim(everyone_alive) == 0

    def test_a_late_renewal_takes_back_what_no_other_run_took(self, ledger: Ledger, clock: Clock) -> None:
        job = a_job(ledger, an_item("1"))
        window = claimed(ledger, job)
        taken(ledger, window)
        clock.seconds += LEASE_SECONDS + 1
        assert ledger.windows.reclaim(everyone_alive) == 1
        ledger.windows.renew(window, OWNER)
        assert ledger.windows.claim(job, 10) is None

    def test_a_renewal_of_a_finished_window_is_nothing(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        commit_all(ledger, window)
        ledger.windows.renew(window, OWNER)

    def test_a_released_window_can_be_taken_up_again_under_its_own_id(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", contexts[1:], [a_failure(contexts[0])], {})
        assert ledger.windows.release(window, "its run failed") == 1
        assert ledger.windows.release(window, "its run failed") == 0
        assert doc_ids(taken(ledger, window, OTHER)) == ["2"]

    def test_a_job_has_the_last_reason_for_which_its_documents_were_queued_again(
        self, ledger: Ledger
    ) -> None:
        job = a_job(ledger, an_item("1"))
        a_job(ledger, an_item("2"), job_id="job-2")
        assert ledger.jobs.summary(job).handed_back_because is None
        for reason in ("its run failed", "its worker died"):
            window = claimed(ledger, job)
            taken(ledger, window)
            ledger.windows.release(window, reason)
        assert ledger.jobs.summary(job).handed_back_because == "its worker died"
        assert [each.handed_back_because for each in ledger.jobs.find(None, None)] == [
            None,
            "its worker died",
        ]

    def test_a_released_window_keeps_nothing_that_a_later_one_claimed(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        first = claimed(ledger, job)
        taken(ledger, first)
        ledger.windows.release(first, "its run failed")
        claimed(ledger, job)
        assert taken(ledger, first) == []
        assert ledger.windows.release(first, "again") == 0

    def test_documents_handed_back_three_times_stall_the_job_and_a_new_job_takes_them(
        self, ledger: Ledger
    ) -> None:
        job = a_job(ledger, an_item("1"))
        for _ in range(3):
            assert ledger.jobs.settle(job) is JobState.OPEN
            window = claimed(ledger, job)
            taken(ledger, window)
            ledger.windows.release(window, "crash")
        assert ledger.windows.claim(job, 10) is None
        assert ledger.jobs.settle(job) is JobState.STALLED
        assert counts(ledger, job).pending == 1
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), job_id="job-2")))
        assert ledger.jobs.settle(job) is JobState.DONE

    def test_a_document_that_kills_its_worker_does_so_three_times_at_most(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        deaths = 0
        while (window := ledger.windows.claim(job, 10)) is not None:
            taken(ledger, window)
            deaths += ledger.windows.reclaim(lambda owner: False)
        assert deaths == 3
        assert ledger.jobs.settle(job) is JobState.STALLED

    def test_windows_in_work_are_those_that_are_reserved_or_leased(self, ledger: Ledger) -> None:
        job = a_job(ledger, *map(an_item, "123"))
        ended, leased, reserved = (claimed(ledger, job, 1) for _ in range(3))
        commit_all(ledger, ended)
        taken(ledger, leased)
        assert ledger.windows.in_work(job) == [leased, reserved]
        ledger.windows.release(leased, "cancelled")
        ledger.windows.release(reserved, "cancelled")
        assert ledger.windows.in_work(job) == []
