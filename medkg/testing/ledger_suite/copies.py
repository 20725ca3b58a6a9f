"""Copies: documents that are imported, and all tables exported and imported again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    OTHER,
    OWNER,
    a_commit,
    a_context,
    a_failure,
    a_job,
    a_key,
    an_item,
    claimed,
    counts,
    taken,
)
from orchestration.contracts import DocumentCounts, Ledger, LedgerTable, Origin
from orchestration.records import Locator


class CopySuite:
    """Promises of `ledger.copies`; part of LedgerSuite."""

    def test_what_is_taken_in_looks_as_if_it_had_been_run_here(self, ledger: Ledger) -> None:
        commit = a_commit(a_context("1"))
        taken = ledger.copies.import_documents("import-1", [(commit, _an_origin())], replace=False)
        assert (list(taken.superseded), taken.not_replaced) == ([], frozenset())
        assert list(ledger.commits.committed(TENANT)) == [commit]
        assert ledger.copies.origins([commit, a_commit(a_context("2"))]) == [_an_origin(), None]
        (row,) = ledger.documents.find(TENANT)
        assert (row.status, row.version, row.job_id) == ("committed", commit.version, "import-1")

    def test_a_run_skips_what_was_taken_in(self, ledger: Ledger) -> None:
        done = a_job(ledger, an_item("1"))
        window = claimed(ledger, done)
        (ctx,) = taken(ledger, window)
        commit = a_commit(ctx)
        ledger.documents.delete([commit.key])
        ledger.copies.import_documents("import-1", [(commit, _an_origin())], replace=False)
        again = a_job(ledger, an_item("1"), job_id="job-2")
        assert counts(ledger, again) == DocumentCounts(total=1, skipped=1)

    @pytest.mark.parametrize("replace", [False, True])
    def test_another_version_that_is_visible_is_replaced_only_on_request(
        self, ledger: Ledger, replace: bool
    ) -> None:
        ledger.copies.import_documents("import-1", [(a_commit(a_context("1")), _an_origin())], replace=False)
        newer = a_commit(a_context("1").with_metadata(version="v2"), "i2")
        result = ledger.copies.import_documents("import-2", [(newer, _an_origin())], replace=replace)
        assert [old.intent_id for old in result.superseded] == (["i1"] if replace else [])
        assert result.not_replaced == (frozenset() if replace else frozenset({newer.key}))
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == [
            "i2" if replace else "i1"
        ]

    def test_what_is_visible_in_the_same_version_is_kept_even_if_all_is_to_be_replaced(
        self, ledger: Ledger
    ) -> None:
        commit = a_commit(a_context("1"))
        ledger.copies.import_documents("import-1", [(commit, _an_origin())], replace=False)
        again = a_commit(a_context("1"), "i2")
        assert ledger.copies.import_documents(
            "import-2", [(again, _an_origin())], replace=True
        ).not_replaced == {commit.key}
        assert list(ledger.commits.committed(TENANT)) == [commit]

    def test_a_document_that_a_run_has_leased_is_left_to_it(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        result = ledger.copies.import_documents(
            "import-1", [(a_commit(ctx, "i9"), _an_origin())], replace=True
        )
        assert result.not_replaced == {ctx.key}
        assert ledger.outcomes.finish(window, OWNER, [a_commit(ctx)]) == []
        assert [commit.intent_id for commit in ledger.commits.committed(TENANT)] == ["i1"]

    def test_a_failed_document_that_is_taken_in_needs_no_replay(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [], [a_failure(ctx)], {})
        ledger.copies.import_documents("import-1", [(a_commit(ctx), _an_origin())], replace=False)
        assert ledger.dead_letters.find(TENANT) == []
        assert ledger.documents.status_counts(TENANT) == {"committed": 1}

    def test_a_queued_document_that_is_taken_in_ends_for_the_job_that_waits(self, ledger: Ledger) -> None:
        job = a_job(ledger, an_item("1"))
        (row,) = ledger.documents.find(TENANT)
        ctx = a_context("1")
        ledger.copies.import_documents("import-1", [(a_commit(ctx), _an_origin())], replace=False)
        assert row.key == ctx.key
        assert counts(ledger, job) == DocumentCounts(total=1, skipped=1)
        assert ledger.windows.claim(job, 10) is None

    def test_commits_that_only_stores_know_are_restored_with_their_intents(self, ledger: Ledger) -> None:
        ledger.copies.import_documents("import-1", [(a_commit(a_context("1")), _an_origin())], replace=False)
        newer = a_commit(a_context("1").with_metadata(version="v2"), "i2")
        other = a_commit(a_context("2"), "i2")
        unknown = _an_origin().model_copy(update={"locator": Locator(uri="", format="unknown")})
        for repeat in range(2):
            result = ledger.copies.restore_commits("restore-1", [(newer, unknown), (other, unknown)])
            assert [old.intent_id for old in result.superseded] == ([] if repeat else ["i1"])
        assert set(ledger.commits.committed(TENANT)) == {newer, other}
        assert ledger.copies.origins([newer, other]) == [_an_origin(), unknown]
        (intent,) = ledger.commits.intents(TENANT)
        assert (intent.intent_id, set(intent.keys)) == ("i2", {newer.key, other.key})
        assert ledger.documents.status_counts(TENANT) == {"committed": 2}

    def test_a_commit_is_not_restored_over_a_document_that_a_run_works_on(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1")))
        (ctx,) = taken(ledger, window)
        result = ledger.copies.restore_commits("restore-1", [(a_commit(ctx, "i9"), _an_origin())])
        assert result.not_replaced == {ctx.key}
        assert list(ledger.commits.committed(TENANT)) == []

    def test_a_ledger_that_was_copied_into_itself_is_what_it_was(self, ledger: Ledger) -> None:
        assert ledger.copies.is_empty()
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2"), an_item("3")))
        first, second, third = taken(ledger, window)
        intent = ledger.commits.open_intent(TENANT, OWNER, [first.key])
        ledger.outcomes.advance(window, "parse", [first, third], [a_failure(second)], {"1": 2})
        ledger.outcomes.finish(window, OWNER, [a_commit(first, intent.intent_id)])
        before = _tables(ledger)
        assert {name for name, rows in before.items() if rows} >= {"jobs", "documents", "commits", "windows"}
        ledger.copies.import_tables(_copied(ledger, before))
        assert _tables(ledger) == before
        assert not ledger.copies.is_empty()

    def test_numbers_go_on_after_a_ledger_was_copied_in(self, ledger: Ledger) -> None:
        window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
        first, second = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [second], [a_failure(first)], {})
        ledger.outcomes.finish(window, OWNER, [a_commit(second)])
        newest, _ = ledger.commits.changes(TENANT, 0)
        ledger.copies.import_tables(_copied(ledger, _tables(ledger)))
        window = claimed(ledger, a_job(ledger, an_item("3"), an_item("4"), job_id="job-2"))
        third, fourth = taken(ledger, window)
        ledger.outcomes.advance(window, "parse", [fourth], [a_failure(third)], {})
        ledger.outcomes.finish(window, OWNER, [a_commit(fourth, "i2")])
        letters = [letter.id for letter in ledger.dead_letters.find(TENANT)]
        assert letters == sorted(set(letters), reverse=True) and len(letters) == 2
        assert ledger.commits.changes(TENANT, newest)[1] == [(fourth.key, "i2")]

    def test_intents_of_which_nothing_is_visible_are_not_copied_in(self, ledger: Ledger) -> None:
        intent = ledger.commits.open_intent(TENANT, OWNER, [a_key("1")])
        ledger.commits.open_intent(TENANT, OTHER, [a_key("2")])
        ledger.commits.commit([a_commit(a_context("1"), intent.intent_id)])
        ledger.copies.import_tables(_copied(ledger, _tables(ledger)))
        assert ledger.commits.intents() == [intent]


def _an_origin() -> Origin:
    return Origin(
        pipeline_version="2025-01-01",
        current_stage="index",
        missing_stages=("extract",),
        source_plugin="files",
        locator=Locator(uri="/corpus/1", format="text"),
        pdf_downloaded=True,
        pdf_ir_ready=False,
        created_at=1_700_000_000.25,
        updated_at=1_700_000_001.5,
    )


def _tables(ledger: Ledger) -> dict[str, list[Mapping[str, Any]]]:
    with ledger.copies.export_tables() as tables:
        return {table.name: [row for rows in table.rows for row in rows] for table in tables}


def _copied(ledger: Ledger, rows: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, LedgerTable]:
    return {
        name: LedgerTable(
            name, {column: object for row in of_table for column in row}, iter([of_table] if of_table else [])
        )
        for name, of_table in rows.items()
    }
