"""Branches: those that are due for a document, and commits that keep the other one."""

from __future__ import annotations

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OWNER,
    a_commit,
    a_failure,
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
from orchestration.contracts import (
    Branch,
    Commit,
    DocumentCounts,
    JobState,
    Ledger,
    branches_of,
    parsed_under,
)
from orchestration.errors import LeaseLostError
from orchestration.records import Fingerprints, StageContext

OLD = Fingerprints("p1", "f1", "g1")
NEW_GRAPH = Fingerprints("p1", "f1", "g2")


def committed_under(ledger: Ledger, now: Fingerprints = OLD, *ids: str) -> list[Commit]:
    """Documents of job-1, committed under these fingerprints."""
    window = claimed(ledger, a_job(ledger, *map(an_item, ids or ("1",))))
    contexts = [ctx.with_fingerprints(now) for ctx in taken(ledger, window)]
    commits = [made(ctx, "g-old") for ctx in ledger.outcomes.record_versions(contexts)]
    ledger.outcomes.finish(window, OWNER, commits)
    return commits


def made(ctx: StageContext, graph_intent: str | None, intent: str = "i1") -> Commit:
    """A commit of both branches; without a graph where there is no intent of one."""
    of_context = ctx.fingerprints
    return a_commit(ctx, intent).model_copy(
        update={
            "parse_fingerprint": of_context.parse,
            "graph_intent_id": graph_intent,
            "graph_fingerprint": of_context.graph if graph_intent else None,
        }
    )


def working_under(ledger: Ledger, now: Fingerprints, job_id: str = "job-2") -> tuple[str, StageContext]:
    """Window and context of document 1 in a new job under these fingerprints."""
    ledger.jobs.open(a_submission(job_id))
    items = [an_item("1")]
    assert ledger.jobs.enqueue(job_id, items, made_as(now.index, now.graph, now.parse)).pending == 1
    ledger.jobs.set_state(job_id, JobState.OPEN)
    window = claimed(ledger, job_id)
    (ctx,) = taken(ledger, window)
    return window, ctx.with_fingerprints(now)


class BranchSuite:
    """Promises of `ledger.outcomes` about branches; part of LedgerSuite."""

    @pytest.mark.parametrize(
        ("now", "branches", "parsed"),
        [
            (NEW_GRAPH, {Branch.GRAPH}, "f1"),
            (Fingerprints("p1", "f1", None), {Branch.GRAPH}, "f1"),
            (Fingerprints("p1", "f2", "g1"), {Branch.INDEX}, "f1"),
            (Fingerprints("p1", "f2", "g2"), {*Branch}, "f1"),
            (Fingerprints("p2", "f2", "g2"), {*Branch}, None),
        ],
    )
    def test_a_branch_is_due_where_the_commit_has_another_fingerprint(
        self, ledger: Ledger, now: Fingerprints, branches: set[Branch], parsed: str | None
    ) -> None:
        committed_under(ledger)
        _, ctx = working_under(ledger, now)
        for marked in (ledger.outcomes.with_due([ctx]), ledger.outcomes.record_versions([ctx])):
            (due,) = marked
            assert (set(branches_of(due)), parsed_under(due)) == (branches, parsed)

    def test_the_same_fingerprints_are_skipped(self, ledger: Ledger) -> None:
        committed_under(ledger)
        ledger.jobs.open(a_submission("job-2"))
        assert ledger.jobs.enqueue("job-2", [an_item("1")], made_as("f1", "g1")).skipped == 1

    def test_a_document_without_a_known_graph_is_due_for_it_alone(self, ledger: Ledger) -> None:
        (commit,) = committed_under(ledger)
        bare = {"graph_intent_id": None, "graph_fingerprint": None}
        ledger.commits.relabel([(commit, commit.model_copy(update=bare))])
        _, ctx = working_under(ledger, OLD)
        (due,) = ledger.outcomes.record_versions([ctx])
        assert branches_of(due) == {Branch.GRAPH}

    def test_a_document_that_may_have_changed_is_due_for_everything(self, ledger: Ledger) -> None:
        committed_under(ledger)
        _, ctx = working_under(ledger, NEW_GRAPH)
        (other,) = ledger.outcomes.record_versions([ctx.with_metadata(version="v2")])
        assert (branches_of(other), parsed_under(other)) == (frozenset(Branch), None)
        unknown = ctx.with_metadata(version=None)
        assert ledger.outcomes.with_due([unknown]) == [unknown]

    def test_a_job_does_not_attach_to_a_run_of_another_graph(self, ledger: Ledger) -> None:
        committed_under(ledger)
        working_under(ledger, NEW_GRAPH)
        ledger.jobs.open(a_submission("job-3"))
        ledger.jobs.enqueue("job-3", [an_item("1")], made_as("f1", "g3"))
        ledger.jobs.set_state("job-3", JobState.OPEN)
        assert ledger.windows.claim("job-3", 10) is not None

    def test_a_commit_keeps_the_other_branch_and_counts_no_chunks_of_it(self, ledger: Ledger) -> None:
        (old,) = committed_under(ledger)
        window, ctx = working_under(ledger, NEW_GRAPH)
        (ctx,) = ledger.outcomes.record_versions([ctx])
        assert ledger.outcomes.finish(window, OWNER, [made(ctx, "g-new")], [old]) == [old]
        (commit,) = ledger.commits.find_all([a_key("1"), a_key("2")])
        assert (commit.intent_id, commit.graph_intent_id, commit.graph_fingerprint) == ("i1", "g-new", "g2")
        summary = ledger.jobs.summary("job-2")
        assert (summary.documents.committed, summary.chunks) == (1, 0)
        ledger.jobs.open(a_submission("job-3"))
        assert ledger.jobs.enqueue("job-3", [an_item("1")], made_as("f1", "g2")).skipped == 1

    def test_a_branch_whose_base_changed_meanwhile_is_not_committed(self, ledger: Ledger) -> None:
        (old,) = committed_under(ledger)
        window, ctx = working_under(ledger, NEW_GRAPH)
        ledger.commits.relabel([(old, old.model_copy(update={"namespace": "qwen@1"}))])
        with pytest.raises(LeaseLostError, match="1 changed while a part of it was made again"):
            ledger.outcomes.finish(window, OWNER, [made(ctx, "g-new")], [old])
        assert counts(ledger, "job-2") == DocumentCounts(total=1, pending=1)
        ledger.windows.release(window, "its base changed")
        commit_all(ledger, claimed(ledger, "job-2"), "i2")

    def test_a_replay_of_an_optional_failure_is_due_for_its_branch_alone(self, ledger: Ledger) -> None:
        committed_under(ledger)
        window, ctx = working_under(ledger, NEW_GRAPH)
        (ctx,) = ledger.outcomes.record_versions([ctx])
        ledger.outcomes.advance(window, "extract", [], [a_failure(ctx, "extract", fatal=False)], {})
        (old,) = ledger.commits.find_all([ctx.key])
        ledger.outcomes.finish(window, OWNER, [old], [old])
        assert ledger.documents.outstanding(TENANT) == {"extract": 1}
        assert ledger.documents.outstanding("other") == {}
        (letter,) = ledger.dead_letters.find(TENANT)
        ledger.dead_letters.replay([letter.id], a_submission("job-3"), made_as("f1", "g2"))
        (again,) = taken(ledger, claimed(ledger, "job-3"))
        (due,) = ledger.outcomes.with_due([again.with_fingerprints(NEW_GRAPH)])
        assert (branches_of(due), parsed_under(due)) == (frozenset({Branch.GRAPH}), "f1")
