"""Commits: one per document, changes in order, and intents that stay while anything is visible under them."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OTHER,
    OWNER,
    a_commit,
    a_context,
    a_job,
    a_key,
    a_submission,
    an_item,
    claimed,
    commit_all,
    counts,
    made_as,
    taken,
)
from orchestration.contracts import DocumentCounts, Ledger
from orchestration.errors import LeaseLostError


class CommitSuite:
    """Promises of `ledger.commits`; part of LedgerSuite."""

    def test_a_relabelled_commit_counts_as_made_under_its_new_fingerprint(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        changes = ledger.commits.changes(TENANT, 0)
        previous = ledger.commits.find(a_key("1"))
        assert previous is not None
        new = previous.model_copy(update={"fingerprint": "f2", "namespace": "qwen@1"})
        assert ledger.commits.relabel([(previous, new)]) == [new]
        assert ledger.commits.relabel([(previous, new)]) == []
        assert ledger.commits.find(a_key("1")) == new
        assert ledger.commits.namespaces(TENANT) == {"minilm@1": 1, "qwen@1": 1}
        assert ledger.commits.changes(TENANT, 0) == changes
        ledger.jobs.open(a_submission("job-2"))
        again = ledger.jobs.enqueue("job-2", [an_item("1"), an_item("2")], made_as("f2"))
        assert again == DocumentCounts(total=2, skipped=1, pending=1)

    def test_documents_and_chunks_are_counted_by_intent_and_model(self, ledger: Ledger) -> None:
        contexts = taken(ledger, claimed(ledger, a_job(ledger, *(an_item(doc_id) for doc_id in "12345"))))
        intents = [ledger.commits.open_intent(TENANT, OWNER, [ctx.key for ctx in contexts]) for _ in range(2)]
        first, second = (intent.intent_id for intent in intents)
        written = [(first, 2, "minilm@1"), (first, 3, "minilm@1"), (first, 1, "qwen@1")]
        written += [(second, 4, "minilm@1"), (second, 0, "minilm@1")]
        ledger.commits.commit([a_commit(ctx, *each) for ctx, each in zip(contexts, written, strict=True)])
        assert sorted(
            (count.intent_id, count.namespace, count.documents, count.chunks)
            for count in ledger.commits.counts_by_intent(TENANT)
        ) == sorted([(first, "minilm@1", 2, 5), (first, "qwen@1", 1, 1), (second, "minilm@1", 1, 4)])
        assert ledger.commits.counts_by_intent("other") == []

    def test_a_commit_that_was_superseded_meanwhile_is_not_relabelled(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        previous = ledger.commits.find(a_key("1"))
        assert previous is not None
        changed = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        commit_all(ledger, claimed(ledger, changed), "i2")
        latest = ledger.commits.find(a_key("1"))
        assert ledger.commits.relabel([(previous, previous.model_copy(update={"namespace": "qwen@1"}))]) == []
        assert ledger.commits.find(a_key("1")) == latest

    def test_a_commit_that_names_entries_of_another_intent_is_a_change(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        newest, _ = ledger.commits.changes(TENANT, 0)
        previous = ledger.commits.find(a_key("1"))
        assert previous is not None
        moved = previous.model_copy(update={"intent_id": "i2", "chunk_count": 7})
        assert ledger.commits.relabel([(previous, moved)]) == [moved]
        assert ledger.commits.find(a_key("1")) == moved
        assert ledger.commits.changes(TENANT, newest)[1] == [(a_key("1"), "i2")]
        ledger.commits.begin_cleaning(["i3"])
        with pytest.raises(LeaseLostError):
            ledger.commits.relabel([(moved, moved.model_copy(update={"intent_id": "i3"}))])

    def test_intents_are_recorded_while_open_visible_or_cleaned(self, ledger: Ledger) -> None:
        opened = ledger.commits.open_intent(TENANT, OWNER, [a_key("1")]).intent_id
        cleaned = ledger.commits.open_intent(TENANT, OWNER, [a_key("2")]).intent_id
        ledger.commits.begin_cleaning([cleaned])
        ledger.commits.close_intents([cleaned])
        ledger.commits.commit([a_commit(a_context("3"), "visible")])
        known = {opened, cleaned, "visible"}
        assert ledger.commits.recorded([*known, "unknown"]) == known
        assert ledger.commits.recorded([]) == set()

    def test_readers_hear_of_commits_and_withdrawals_in_order(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"), an_item("2"))))
        newest, changes = ledger.commits.changes(TENANT, 0)
        assert changes == [(a_key("1"), "i1"), (a_key("2"), "i1")]
        assert ledger.commits.changes(TENANT, newest) == (newest, [])
        assert [old.key for old in ledger.documents.delete([a_key("2"), a_key("absent")])] == [a_key("2")]
        later, changes = ledger.commits.changes(TENANT, newest)
        assert changes == [(a_key("2"), None)]
        assert later > newest
        assert ledger.commits.changes(TENANT, 0)[1] == [(a_key("1"), "i1"), (a_key("2"), None)]

    def test_a_number_of_a_change_is_never_used_twice(self, ledger: Ledger) -> None:
        numbers = []
        for intent_id in ("i1", "i2", "i3"):
            ledger.commits.commit([a_commit(a_context("1"), intent_id)])
            numbers.append(ledger.commits.changes(TENANT, 0)[0])
        assert numbers == sorted(set(numbers))

    def test_a_new_version_supersedes_the_old_commit(self, ledger: Ledger) -> None:
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        job = a_job(ledger, an_item("1", "v2"), job_id="job-2")
        superseded = commit_all(ledger, claimed(ledger, job), intent_id="i2")
        assert [(old.version, old.intent_id) for old in superseded] == [("v1", "i1")]
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == ["i2"]

    def test_a_commit_is_kept_with_the_model_of_its_vectors(self, ledger: Ledger) -> None:
        commit = a_commit(a_context("1")).model_copy(update={"namespace": "letters@1"})
        ledger.commits.commit([commit])
        assert list(ledger.commits.committed(TENANT)) == [commit]
        assert ledger.commits.find(commit.key) == commit

    def test_the_same_commit_twice_supersedes_nothing(self, ledger: Ledger) -> None:
        assert ledger.commits.commit([a_commit(a_context("1"))]) == []
        assert ledger.commits.commit([a_commit(a_context("1"))]) == []

    def test_nothing_becomes_visible_under_an_intent_that_is_being_cleaned(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"), an_item("2"))
        window = claimed(ledger, job)
        contexts = taken(ledger, window)
        intent = ledger.commits.open_intent(TENANT, OTHER, [a_key("1"), a_key("2")])
        ledger.outcomes.finish(window, OWNER, [a_commit(contexts[0], intent.intent_id)])
        ledger.commits.begin_cleaning([intent.intent_id])
        ledger.commits.begin_cleaning([intent.intent_id])
        with pytest.raises(LeaseLostError, match="queued again"):
            ledger.outcomes.finish(window, OWNER, [a_commit(contexts[1], intent.intent_id)])
        assert [commit.key for commit in ledger.commits.committed(TENANT)] == [a_key("1")]
        assert counts(ledger, job) == DocumentCounts(total=2, committed=1, pending=1)

    def test_an_intent_stays_while_documents_are_visible_under_it(self, ledger: Ledger) -> None:
        first = ledger.commits.open_intent(TENANT, OWNER, [a_key("1"), a_key("2")])
        second = ledger.commits.open_intent(TENANT, OTHER, [a_key("1")])
        elsewhere = ledger.commits.open_intent("other", OTHER, [])
        assert ledger.commits.intents() == [first, second, elsewhere]
        ledger.commits.commit([a_commit(a_context("1"), first.intent_id)])
        ledger.commits.close_intents([first.intent_id, second.intent_id])
        assert [intent.intent_id for intent in ledger.commits.intents(TENANT)] == [first.intent_id]
        assert set(ledger.commits.intents(TENANT)[0].keys) == {a_key("1"), a_key("2")}
        ledger.documents.delete([a_key("1")])
        ledger.commits.close_intents([first.intent_id])
        assert ledger.commits.intents(TENANT) == []

    def test_tenants_are_those_with_visible_documents(self, ledger: Ledger) -> None:
        assert ledger.commits.tenants() == ledger.commits.sources(TENANT) == []
        commit_all(ledger, claimed(ledger, a_job(ledger, an_item("1"))))
        a_job(ledger, an_item("1"), job_id="job-2", tenant_id="waiting")
        assert ledger.commits.tenants() == [TENANT]
        assert ledger.commits.sources(TENANT) == [a_key("1").source]
        assert ledger.commits.sources("waiting") == []
