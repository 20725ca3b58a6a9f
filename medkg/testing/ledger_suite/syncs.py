"""Syncs: kept per request, and what earlier jobs of a request left unfinished."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_job, a_submission, a_sync_key, an_item, claimed, commit_all
from orchestration.contracts import Ledger, SourceRequest, Sync


class SyncSuite:
    """Promises of `ledger.syncs`; part of LedgerSuite."""

    def test_a_listing_is_remembered_for_exactly_its_key(self, ledger: Ledger) -> None:
        sync = Sync(cursor="next", begun_at=12.5, listed=3, since=2.5)
        ledger.syncs.save(a_sync_key(), Sync(cursor="previous"))
        ledger.syncs.save(a_sync_key(), sync)
        assert ledger.syncs.get(a_sync_key()) == sync
        for other in ({"query": "KRAS"}, {"query": None}, {"limit": 5}, {"tenant_id": "other"}):
            assert ledger.syncs.get(a_sync_key().model_copy(update=other)) == Sync()

    def test_the_listings_of_a_tenant_are_listed_the_last_started_first(self, ledger: Ledger) -> None:
        other = a_sync_key().model_copy(update={"query": "KRAS"})
        ledger.syncs.save(a_sync_key(), Sync(since=5.0, listed=2))
        ledger.syncs.save(other, Sync(begun_at=7.0, cursor="c"))
        ledger.syncs.save(a_sync_key().model_copy(update={"tenant_id": "other"}), Sync())
        assert ledger.syncs.find(TENANT) == [
            (other, Sync(begun_at=7.0, cursor="c")),
            (a_sync_key(), Sync(since=5.0, listed=2)),
        ]

    def test_what_earlier_jobs_of_a_request_left_is_listed_oldest_first(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"), an_item("2"), an_item("3"))
        window = claimed(ledger, "job-1", 1)
        commit_all(ledger, window)
        assert ledger.syncs.unfinished(a_submission("job-2")) == [an_item("2"), an_item("3")]

    def test_what_others_left_is_not_listed(self, ledger: Ledger) -> None:
        a_job(ledger, an_item("1"))
        other = SourceRequest(plugin="files", paths=("y",))
        assert ledger.syncs.unfinished(a_submission("job-2", "other-pipeline")) == []
        assert ledger.syncs.unfinished(a_submission("job-2", tenant_id="other")) == []
        assert ledger.syncs.unfinished(a_submission("job-1")) == []
        assert ledger.syncs.unfinished(a_submission("job-2").model_copy(update={"request": other})) == []
