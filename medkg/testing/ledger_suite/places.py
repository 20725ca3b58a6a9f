"""Places: moved, repeated and gone files, and what a mirror's listing did not name."""

from __future__ import annotations

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import (
    a_broken_item,
    a_commit,
    a_context,
    a_submission,
    an_item,
    claimed,
    commit_all,
    counts,
    fingerprint_of,
)
from orchestration.contracts import DocumentCounts, JobState, Ledger, Origin, Place
from orchestration.records import DocumentKey, Locator, SourceItem


def a_file(path: str, version: str = "v1") -> SourceItem:
    """A file without an id, listed at its path."""
    return SourceItem(
        doc_id=f"id-of{path}",
        source="files",
        locator=Locator(uri=path, format="markdown"),
        version=version,
        place=path,
        id_of_place=True,
    )


def a_record(doc_id: str, path: str) -> SourceItem:
    """A record with its own id in a file."""
    return an_item(doc_id, uri=path).model_copy(update={"place": path})


def key_of(path: str) -> DocumentKey:
    return DocumentKey(tenant_id=TENANT, source="files", doc_id=f"id-of{path}")


def run(ledger: Ledger, job_id: str, *items: SourceItem, mirror: bool = False) -> DocumentCounts:
    """A job whose documents are committed; returns its account."""
    submission = a_submission(job_id)
    request = submission.request.model_copy(update={"mirror": mirror})
    ledger.jobs.open(submission.model_copy(update={"request": request}))
    ledger.jobs.enqueue(job_id, items, fingerprint_of)
    ledger.jobs.set_state(job_id, JobState.OPEN)
    if counts(ledger, job_id).pending:
        commit_all(ledger, claimed(ledger, job_id), intent_id=f"intent-{job_id}")
    return counts(ledger, job_id)


def documents(ledger: Ledger) -> list[str]:
    return sorted(row.key.doc_id for row in ledger.documents.find(TENANT))


class PlaceSuite:
    """Promises of `ledger.places`, and of the identity of files; part of LedgerSuite."""

    def test_a_moved_file_is_the_same_document(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"))
        assert run(ledger, "job-2", a_file("/moved/a.md")).skipped == 1
        assert documents(ledger) == ["id-of/in/a.md"]
        assert ledger.places.moved_from("job-2") == [Place(key_of("/in/a.md"), "/in/a.md")]
        ledger.places.forget(ledger.places.moved_from("job-2"))
        assert ledger.places.of([key_of("/in/a.md")]) == {key_of("/in/a.md"): ("/moved/a.md",)}

    def test_a_moved_file_that_changes_later_is_a_new_version_of_its_document(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"))
        run(ledger, "job-2", a_file("/moved/a.md"))
        ledger.places.forget(ledger.places.moved_from("job-2"))
        assert run(ledger, "job-3", a_file("/moved/a.md", "v2")).committed == 1
        assert documents(ledger) == ["id-of/in/a.md"]
        (row,) = ledger.documents.find(TENANT)
        assert row.version == "v2"

    def test_a_new_file_where_a_moved_one_was_is_a_separate_document(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"))
        run(ledger, "job-2", a_file("/moved/a.md"))
        ledger.places.forget(ledger.places.moved_from("job-2"))
        run(ledger, "job-3", a_file("/in/a.md", "v2"), a_file("/moved/a.md"))
        assert documents(ledger) == ["id-of/in/a.md", "id-of/in/a.md+2"]
        assert run(ledger, "job-4", a_file("/in/a.md", "v2"), a_file("/moved/a.md")).skipped == 2

    def test_files_are_the_documents_of_a_ledger_that_was_restored_without_their_places(
        self, ledger: Ledger
    ) -> None:
        paths = ("/in/same.md", "/in/changed.md", "/in/before.md")
        contexts = [
            a_context(f"id-of{path}").with_metadata(source="files", version=f"v{number}")
            for number, path in enumerate(paths)
        ]
        unknown = Origin(
            pipeline_version="2025-01-01",
            current_stage="index",
            missing_stages=(),
            source_plugin="unknown",
            locator=Locator(uri="", format="unknown"),
            pdf_downloaded=False,
            pdf_ir_ready=False,
            created_at=0.0,
            updated_at=0.0,
        )
        proven = [(a_commit(ctx), unknown) for ctx in contexts]
        ledger.copies.restore_commits("restore-1", proven)
        listed = [a_file("/in/same.md", "v0"), a_file("/in/changed.md", "new"), a_file("/in/after.md", "v2")]
        account = run(ledger, "job-1", *listed)
        assert documents(ledger) == sorted(f"id-of{path}" for path in paths)
        assert (account.total, account.committed, account.skipped) == (3, 1, 2)
        same, _, moved = ledger.copies.origins([commit for commit, _ in proven])
        assert same is not None and moved is not None
        assert (same.locator.uri, moved.locator.uri) == ("/in/same.md", "/in/after.md")
        assert same.source_plugin != "unknown"

    def test_identical_files_are_one_document_with_all_their_names(self, ledger: Ledger) -> None:
        account = run(ledger, "job-1", a_file("/in/a.md"), a_file("/in/b.md"), a_file("/in/c.md", "v2"))
        assert account == DocumentCounts(total=3, committed=2, skipped=1)
        assert ledger.places.of([key_of("/in/a.md")]) == {key_of("/in/a.md"): ("/in/a.md", "/in/b.md")}
        assert run(ledger, "job-2", a_file("/in/a.md"), a_file("/in/b.md")).skipped == 2
        assert documents(ledger) == ["id-of/in/a.md", "id-of/in/c.md"]

    def test_files_that_are_identical_no_longer_are_two_documents(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"), a_file("/in/b.md"))
        assert run(ledger, "job-2", a_file("/in/a.md"), a_file("/in/b.md", "v2")).committed == 1
        assert documents(ledger) == ["id-of/in/a.md", "id-of/in/b.md"]
        run(ledger, "job-3", a_file("/in/a.md", "v3"), a_file("/in/b.md", "v2"))
        assert {row.key.doc_id: row.version for row in ledger.documents.find(TENANT)} == {
            "id-of/in/a.md": "v3",
            "id-of/in/b.md": "v2",
        }

    def test_a_copy_under_an_earlier_name_keeps_the_old_content_beside_the_new(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/b.md"))
        account = run(ledger, "job-2", a_file("/in/a.md"), a_file("/in/b.md", "v2"))
        assert account == DocumentCounts(total=2, committed=1, skipped=1)
        assert sorted(row.version or "" for row in ledger.documents.find(TENANT)) == ["v1", "v2"]

    def test_the_same_bytes_in_another_format_are_another_document(self, ledger: Ledger) -> None:
        text = a_file("/in/a.txt").model_copy(update={"locator": Locator(uri="/in/a.txt", format="text")})
        assert run(ledger, "job-1", a_file("/in/a.md"), text).committed == 2

    def test_a_mirror_names_what_is_gone_beneath_its_origin_alone(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"), a_file("/in/b.md", "v2"), a_file("/inner/c.md", "v3"))
        run(ledger, "job-2", a_file("/in/b.md", "v2"), mirror=True)
        gone = ledger.places.unlisted("job-2", ["/in"])
        assert ledger.places.unlisted("job-2", []) == []
        assert gone == [Place(key_of("/in/a.md"), "/in/a.md")]
        assert ledger.places.only_at(gone) == [key_of("/in/a.md")]
        assert ledger.places.listed_at("job-2", "/in")
        assert not ledger.places.listed_at("job-2", "/inner")

    def test_an_import_leaves_the_places_that_a_mirror_listed_to_the_mirror(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"))
        run(ledger, "job-2", a_file("/in/a.md"), mirror=True)
        (commit,) = ledger.commits.committed(TENANT)
        (origin,) = ledger.copies.origins([commit])
        assert origin is not None
        files = origin.model_copy(update={"source_plugin": "files"})
        newer = commit.model_copy(update={"version": "v2", "intent_id": "intent-of-import"})
        imported = ledger.copies.import_documents("import-1", [(newer, files)], replace=True)
        assert not imported.not_replaced
        assert ledger.places.unlisted("job-2", ["/in"]) == []

    def test_places_are_forgotten_one_by_one(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"), a_file("/in/b.md"), a_file("/in/c.md", "v2"))
        ledger.places.forget([])
        gone = [Place(key_of("/in/a.md"), "/in/b.md"), Place(key_of("/in/c.md"), "/in/a.md")]
        ledger.places.forget(gone)
        keys = [key_of("/in/a.md"), key_of("/in/c.md")]
        assert ledger.places.of(keys) == {keys[0]: ("/in/a.md",), keys[1]: ("/in/c.md",)}

    def test_a_record_that_left_a_file_that_is_still_there_is_gone(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_record("1", "/in/x.jsonl"), a_record("2", "/in/x.jsonl"))
        run(ledger, "job-2", a_record("2", "/in/x.jsonl"), mirror=True)
        gone = ledger.places.unlisted("job-2", ["/in"])
        assert [place.key.doc_id for place in gone] == ["1"]

    def test_a_document_with_another_place_stays_and_is_fetched_from_there(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"), a_file("/else/a.md"))
        run(ledger, "job-2", a_file("/in/b.md", "v2"), mirror=True)
        gone = ledger.places.unlisted("job-2", ["/in"])
        assert ledger.places.only_at(gone) == []
        ledger.places.forget(gone)
        assert ledger.places.of([key_of("/in/a.md")]) == {key_of("/in/a.md"): ("/else/a.md",)}
        assert [row.key.doc_id for row in ledger.documents.find(TENANT, origin="/else")] == ["id-of/in/a.md"]
        assert ledger.documents.find(TENANT, origin="/in/a.md") == []

    def test_what_could_not_be_read_is_named(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_broken_item("1"), mirror=True)
        assert ledger.places.unread("job-1") == {"x.jsonl"}

    def test_a_deleted_document_has_no_place_and_its_file_is_a_document_again(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"))
        ledger.documents.delete([key_of("/in/a.md")])
        assert ledger.places.of([key_of("/in/a.md")]) == {}
        assert run(ledger, "job-2", a_file("/in/a.md")).committed == 1

    def test_removed_documents_are_counted_beside_the_account(self, ledger: Ledger) -> None:
        run(ledger, "job-1", a_file("/in/a.md"), mirror=True)
        ledger.jobs.note_removed("job-1", 2)
        ledger.jobs.note_removed("job-1", 1)
        summary = ledger.jobs.summary("job-1")
        assert summary.removed == 3
        assert summary.documents == DocumentCounts(total=1, committed=1)
