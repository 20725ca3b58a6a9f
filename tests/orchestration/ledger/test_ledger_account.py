"""Whatever happens to a ledger, in whatever order, every job's account adds up and commits are the truth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from medkg.testing.ledger_suite.builders import (
    Clock,
    a_broken_item,
    a_commit,
    a_deletion,
    a_failure,
    a_submission,
    an_item,
    fingerprint_of,
)
from orchestration.contracts import Commit, JobState, is_older
from orchestration.errors import LeaseLostError
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.records import DocumentKey, SourceItem, StageContext

DOC_IDS = st.sampled_from(["a", "b", "c", "d"])
ITEMS = st.one_of(
    st.builds(an_item, DOC_IDS, st.sampled_from(["v1", "v2", None]), st.sampled_from(["x", "y"])),
    st.builds(
        an_item, DOC_IDS, st.sampled_from(["v1", "v2", "v3"]), revision=st.sampled_from(["", "1", "2", "3"])
    ),
    st.builds(a_deletion, DOC_IDS, st.sampled_from(["", "1", "2", "3"])),
    st.builds(a_broken_item, DOC_IDS),
)
PIPELINES = st.sampled_from(["auto", "clinical-trials"])
OWNERS = st.sampled_from(["host/boot/1/1", "host/boot/2/2"])
NUMBERS = count()


class Account(RuleBasedStateMachine):
    """Random jobs, windows, crashes and deletions on one ledger; a tenant an example."""

    ledger: SqlLedger
    clock: Clock

    @initialize()
    def start(self) -> None:
        self.tenant = f"tenant-{next(NUMBERS)}"
        self.listed: dict[str, int] = {}
        self.windows: dict[str, list[StageContext]] = {}
        self.owner_of: dict[str, str] = {}
        self.visible: dict[DocumentKey, Commit] = {}
        self.sequence = 0
        self.cache: dict[DocumentKey, str | None] = {}

    # --- what happens -------------------------------------------------------------------------------

    @rule(items=st.lists(ITEMS, max_size=6), pipeline=PIPELINES)
    def list_a_source(self, items: list[SourceItem], pipeline: str) -> None:
        job_id = f"job-{next(NUMBERS)}"
        self.ledger.jobs.open(a_submission(job_id, pipeline, self.tenant))
        for half in (items[:3], items[3:]):
            placed = self.ledger.jobs.enqueue(job_id, half, fingerprint_of)
            assert placed.total == placed.accounted == len(half)
        self.ledger.jobs.set_state(job_id, JobState.OPEN)
        self.listed[job_id] = len(items)

    @precondition(lambda self: self.listed)
    @rule(data=st.data(), limit=st.integers(1, 4), owner=OWNERS)
    def begin_a_window(self, data: st.DataObject, limit: int, owner: str) -> None:
        window_id = self.ledger.windows.claim(data.draw(st.sampled_from(list(self.listed))), limit)
        if window_id is not None:
            self._take(window_id, owner)

    @precondition(lambda self: self.windows)
    @rule(data=st.data(), owner=OWNERS)
    def run_a_window_again(self, data: st.DataObject, owner: str) -> None:
        self._take(data.draw(st.sampled_from(list(self.windows))), owner)

    def _take(self, window_id: str, owner: str) -> None:
        taken = [document.ctx for document in self.ledger.windows.lease(window_id, owner).documents]
        self.windows[window_id] = [
            ctx if "version" in ctx.metadata else ctx.with_metadata(version="v1") for ctx in taken
        ]
        self.owner_of[window_id] = owner

    @precondition(lambda self: self.windows)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        window_id = data.draw(st.sampled_from(list(self.windows)))
        self.windows[window_id] = self.ledger.outcomes.record_versions(self.windows[window_id])

    @precondition(lambda self: self.windows)
    @rule(data=st.data(), fatal=st.booleans())
    def fail_the_first_document(self, data: st.DataObject, fatal: bool) -> None:
        window_id = data.draw(st.sampled_from(list(self.windows)))
        contexts = self.windows[window_id]
        failures = [a_failure(ctx, fatal=fatal) for ctx in contexts[:1]]
        self.ledger.outcomes.advance(window_id, "parse", contexts[1:], failures, {"a": 1})

    @precondition(lambda self: self.listed)
    @rule(items=st.lists(ITEMS, min_size=1, max_size=3), pipeline=PIPELINES, fail=st.booleans())
    def work_through_a_source(self, items: list[SourceItem], pipeline: str, fail: bool) -> None:
        """A whole run: deep states are too rare by single steps."""
        self.list_a_source(items, pipeline)
        window_id = self.ledger.windows.claim(list(self.listed)[-1], 10)
        if window_id is None:
            return
        self._take(window_id, "host/boot/1/1")
        contexts = self.windows[window_id] = self.ledger.outcomes.record_versions(self.windows[window_id])
        if fail:
            failures = [a_failure(ctx) for ctx in contexts[:1]]
            self.ledger.outcomes.advance(window_id, "parse", contexts[1:], failures, {})
        self._commit(window_id)

    @precondition(lambda self: self.windows)
    @rule(data=st.data())
    def commit_a_window(self, data: st.DataObject) -> None:
        self._commit(data.draw(st.sampled_from(list(self.windows))))

    def _commit(self, window_id: str) -> None:
        commits = [a_commit(ctx, window_id) for ctx in self.windows[window_id]]
        try:
            self.ledger.outcomes.finish(window_id, self.owner_of[window_id], commits)
        except LeaseLostError:
            return
        now_visible = {commit.key: commit for commit in self.ledger.commits.committed(self.tenant)}
        assert now_visible.keys() >= self.visible.keys()
        for key, before in self.visible.items():
            assert not is_older(now_visible[key].revision, before.revision)
        self.visible = now_visible

    @precondition(lambda self: self.windows)
    @rule(data=st.data())
    def release_a_window(self, data: st.DataObject) -> None:
        self.ledger.windows.release(data.draw(st.sampled_from(list(self.windows))), "its run failed")

    @rule(dead=OWNERS)
    def kill_a_process(self, dead: str) -> None:
        self.ledger.windows.reclaim(lambda owner: owner != dead)

    @rule()
    def let_leases_expire(self) -> None:
        self.clock.seconds += 61
        self.ledger.windows.reclaim(lambda owner: True)

    @rule(doc_id=DOC_IDS)
    def delete_a_document(self, doc_id: str) -> None:
        key = DocumentKey(tenant_id=self.tenant, source="pubmed", doc_id=doc_id)
        self.ledger.documents.delete([key])
        self.visible.pop(key, None)
        assert self.ledger.commits.find(key) is None
        assert all(letter.failure.ctx.key != key for letter in self.ledger.dead_letters.find(self.tenant))

    @rule(pipeline=PIPELINES)
    def replay_everything(self, pipeline: str) -> None:
        letters = self.ledger.dead_letters.find(self.tenant)
        ids = [letter.id for letter in letters if letter.failure.ctx.pipeline_name == pipeline]
        job_id = f"job-{next(NUMBERS)}"
        submission = a_submission(job_id, pipeline, self.tenant)
        self.listed[job_id] = self.ledger.dead_letters.replay(ids, submission, fingerprint_of)

    @precondition(lambda self: self.listed)
    @rule(data=st.data())
    def cancel_a_job(self, data: st.DataObject) -> None:
        self.ledger.jobs.set_state(data.draw(st.sampled_from(list(self.listed))), JobState.CANCELLED)

    # --- what always holds --------------------------------------------------------------------------

    @invariant()
    def accounts_add_up(self) -> None:
        for job_id, listed in getattr(self, "listed", {}).items():
            summary = self.ledger.jobs.summary(job_id)
            assert summary.documents.total == summary.documents.accounted == listed
            assert sum(failure.fatal for failure in summary.failures) == summary.documents.failed

    @invariant()
    def a_job_is_done_when_nothing_is_pending(self) -> None:
        for job_id in getattr(self, "listed", {}):
            state = self.ledger.jobs.settle(job_id)
            if state is not JobState.CANCELLED:
                assert (state is JobState.DONE) == (self.ledger.jobs.summary(job_id).documents.pending == 0)

    @invariant()
    def only_commits_and_deletions_change_what_is_visible(self) -> None:
        if hasattr(self, "visible"):
            now = {commit.key: commit for commit in self.ledger.commits.committed(self.tenant)}
            for key, commit in now.items():  # a newer revision of the same content is recorded with it
                assert not is_older(commit.revision, self.visible[key].revision)
                self.visible[key] = self.visible[key].model_copy(update={"revision": commit.revision})
            assert now == self.visible

    @invariant()
    def readers_that_follow_the_changes_see_the_same(self) -> None:
        if hasattr(self, "cache"):
            self.sequence, changes = self.ledger.commits.changes(self.tenant, self.sequence)
            self.cache.update(changes)
            visible_intents = {
                key: intent_id for key, intent_id in self.cache.items() if intent_id is not None
            }
            assert visible_intents == {key: commit.intent_id for key, commit in self.visible.items()}

    def teardown(self) -> None:
        """From any state, working on finishes every job that is not left alone."""
        for job_id in getattr(self, "listed", {}):
            self.clock.seconds += 61
            self.ledger.windows.reclaim(lambda owner: False)
            while (window_id := self.ledger.windows.claim(job_id, 100)) is not None:
                self._take(window_id, "host/boot/3/3")
                contexts = self.ledger.outcomes.record_versions(self.windows[window_id])
                self.ledger.outcomes.finish(
                    window_id, "host/boot/3/3", [a_commit(ctx, window_id) for ctx in contexts]
                )
            assert self.ledger.jobs.settle(job_id) is not JobState.OPEN


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path: Path = tmp_path_factory.mktemp("account") / "ledger.sqlite"
    Account.clock = Clock()
    Account.ledger = open_ledger(f"sqlite:///{path}", 60.0, Account.clock)
    yield
    Account.ledger.close()


Account.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAccount = Account.TestCase
