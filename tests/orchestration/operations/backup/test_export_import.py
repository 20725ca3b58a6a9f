"""Export and import: nothing is changed by the way, nothing twice, nothing taken of what is not whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT
from orchestration.errors import CopyUnusableError, StoreCorruptError, UsageError
from orchestration.operations.backup.importing import import_tenant
from orchestration.records import DocumentKey
from tests.orchestration.operations.backup.copies import (
    IMPORTING,
    answers,
    export,
    import_all,
    ingest,
    opened,
    provenance_of,
    rows_of,
    unwatched,
    verified,
)
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[4]
CORPUS = {
    "1": ["walking helps", "walking helps sleep"],
    "2": ["sleeping"],
    "3": [],
    "4": ["eating", "drinking", "fasting"],
    "5": ["walking again"],
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """An export of a folder that holds CORPUS."""
    with opened(tmp_path / "a") as parts:
        ingest(parts, CORPUS)
        return export(parts, tmp_path / "copy")


# --- there and back ---------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
CORPORA = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcdef"), st.lists(WORDS, max_size=3), max_size=4), st.booleans()
    ),
    max_size=3,
)
"""Batches of documents, each with or without terms; a later one replaces what a previous one had."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CORPORA)
def test_what_is_exported_imported_and_exported_is_what_was_exported(
    batches: list[tuple[dict[str, list[str]], bool]],
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        with opened(folder / "a") as parts:
            for number, (documents, sparse) in enumerate(batches):
                ingest(parts, documents, version=str(number), sparse=sparse)
            first = export(parts, folder / "first")
        with opened(folder / "b", tenant="elsewhere") as parts:
            import_all(parts, first)
            second = export(parts, folder / "second")
            assert verified(parts, "elsewhere")
        assert rows_of(first) == rows_of(second)


def test_the_imported_answer_as_the_exported_by_every_leg(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "a") as parts:
        expected, provenance = answers(parts, "walking sleep"), provenance_of(parts)
    assert [each.revision for each in provenance] == ["revision 1"] * 5
    with opened(tmp_path / "b") as parts:
        done = import_all(parts, copy)
        assert (done.documents, done.imported, done.unchanged, done.not_replaced, done.chunks) == (
            5,
            5,
            0,
            0,
            7,
        )
        assert answers(parts, "walking sleep") == expected
        assert provenance_of(parts) == provenance
        assert verified(parts)


def test_an_analyst_reads_a_row_a_chunk_with_its_vector_and_what_columns_mean(copy: Path) -> None:
    (path,) = copy.glob("chunks-*.parquet")
    table = pq.read_table(path)
    assert table.num_rows == 7
    assert table.schema.field("dense").type == pa.list_(pa.float32(), 26)
    assert table.column("body").to_pylist()[:2] == ["walking helps", "walking helps sleep"]
    assert all(
        field.metadata[b"description"]
        for field in [*table.schema, *pq.read_schema(copy / "documents-1.parquet")]
    )


def test_an_import_in_batches_keeps_the_order(
    tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.operations.backup.importing.DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr("orchestration.operations.backup.table_reader.DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr("orchestration.operations.backup.table_writer.DOCUMENTS_AT_ONCE", 2)
    with opened(tmp_path / "b") as parts:
        import_all(parts, copy)
        assert rows_of(export(parts, tmp_path / "again")) == rows_of(copy)


# --- twice, and other versions ----------------------------------------------------------------------


def test_importing_twice_finds_everything_there(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "b") as parts:
        import_all(parts, copy)
        before = list(parts.ledger.commits.committed(TENANT))
        again = import_all(parts, copy)
        assert (again.imported, again.unchanged, again.not_replaced) == (0, 5, 0)
        assert list(parts.ledger.commits.committed(TENANT)) == before


@pytest.mark.parametrize("replace", [False, True])
def test_a_document_that_is_there_in_another_version_is_kept_unless_reported_otherwise(
    tmp_path: Path, copy: Path, replace: bool
) -> None:
    with opened(tmp_path / "b") as parts:
        ingest(parts, {"1": ["running"]}, version="2")
        done = import_all(parts, copy, replace=replace)
        assert (done.imported, done.unchanged, done.not_replaced) == ((5, 0, 0) if replace else (4, 0, 1))
        commit = parts.ledger.commits.find(DocumentKey(tenant_id=TENANT, source="files", doc_id="1"))
        assert commit is not None and commit.version == ("1" if replace else "2") * 64
        assert bool(answers(parts, "running")["bm25"]) is not replace
        assert verified(parts)


def test_a_deleted_document_comes_back_by_an_import(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "a") as parts:
        key = DocumentKey(tenant_id=TENANT, source="files", doc_id="2")
        previous = parts.ledger.commits.find(key)
        assert previous is not None
        parts.ledger.documents.delete([key])
        parts.index.clean([previous])
        done = import_all(parts, copy)
        assert (done.imported, done.unchanged) == (1, 4)
        assert parts.ledger.documents.status_counts(TENANT) == {"committed": 5}
        assert verified(parts)


def test_vectors_of_another_model_are_refused_with_the_setting_to_change(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "b") as parts:
        with pytest.raises(UsageError, match=r"counted-letters@1.*MEDKG_EMBEDDING_MODEL.*--other-models"):
            import_tenant(parts, copy, unwatched, replace=False, other_models=False)
        assert parts.ledger.copies.is_empty()


# --- dying ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", IMPORTING)
def test_an_import_that_is_killed_is_completed_by_the_next_one(
    tmp_path: Path, copy: Path, boundary: str
) -> None:
    data_dir = tmp_path / "b"
    module = "tests.orchestration.operations.backup.copies"
    command = [sys.executable, "-m", module, str(data_dir), "import", str(copy), boundary]
    assert subprocess.run(command, check=False, cwd=ROOT, timeout=PATIENCE).returncode == -signal.SIGKILL
    with opened(data_dir) as parts:
        done = import_all(parts, copy)
        assert done.imported + done.unchanged == 5
        assert done.unchanged == {"after the commit": 2, "in the second batch": 2}.get(boundary, 0)
        assert verified(parts)
        assert rows_of(export(parts, tmp_path / "again")) == rows_of(copy)


# --- copies that are not whole ----------------------------------------------------------------------


def _truncated(copy: Path) -> None:
    path = copy / "chunks-1-1.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def _flipped(copy: Path) -> None:
    path = copy / "documents-1.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _lacking(copy: Path) -> None:
    (copy / "documents-1.parquet").unlink()


def _without_manifest(copy: Path) -> None:
    (copy / "manifest.json").unlink()


def _changed(copy: Path, **values: object) -> None:
    path = copy / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_truncated, "truncated or damaged"),
        (_flipped, "truncated or damaged"),
        (_lacking, "cannot be read"),
        (_without_manifest, "interrupted"),
        (lambda copy: _changed(copy, format_version=9), "format 9"),
        (lambda copy: _changed(copy, format="medkg-backup"), "medkg restore"),
        (lambda copy: _changed(copy, format="foreign"), "not written by medkg"),
        (lambda copy: _changed(copy, files=[{"path": "../x.parquet"}]), "inside its folder"),
        (lambda copy: (copy / "manifest.json").write_text("[]"), "not the manifest"),
    ],
)
def test_a_copy_that_is_not_whole_or_not_ours_is_refused_and_nothing_is_imported(
    tmp_path: Path, copy: Path, harm: Callable[[Path], object], message: str
) -> None:
    harm(copy)
    with opened(tmp_path / "b") as parts:
        with pytest.raises(CopyUnusableError, match=message):
            import_all(parts, copy)
        assert parts.ledger.copies.is_empty()


def test_nothing_is_exported_over_a_whole_copy_or_over_files_of_others(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "a") as parts:
        with pytest.raises(UsageError, match="whole copy already"):
            export(parts, copy)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("mine")
        with pytest.raises(UsageError, match=r"thesis.txt is in the way"):
            export(parts, tmp_path / "mine")
        assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_an_export_that_was_interrupted_is_made_again(tmp_path: Path, copy: Path) -> None:
    before = rows_of(copy)
    (copy / "manifest.json").unlink()
    (copy / "chunks-1-1.parquet").rename(copy / "chunks-1-1.parquet.partial")
    with opened(tmp_path / "a") as parts:
        export(parts, copy)
    assert rows_of(copy) == before
    assert not list(copy.glob("*.partial"))


def test_a_damaged_segment_is_named_and_the_copy_does_not_count(tmp_path: Path, copy: Path) -> None:
    (segment,) = (tmp_path / "a" / "vectors").rglob("*.segment")
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    with opened(tmp_path / "a") as parts, pytest.raises(StoreCorruptError, match=segment.name):
        export(parts, tmp_path / "second")
    assert not (tmp_path / "second" / "manifest.json").exists()


def test_a_document_that_lost_rows_is_named_and_the_copy_does_not_count(tmp_path: Path, copy: Path) -> None:
    with opened(tmp_path / "a") as parts:
        key = DocumentKey(tenant_id=TENANT, source="files", doc_id="4")
        commit = parts.ledger.commits.find(key)
        assert commit is not None
        parts.stores.search.discard(TENANT, commit.intent_id, [key])
        with pytest.raises(StoreCorruptError, match="4 of files"):
            export(parts, tmp_path / "second")
    assert not (tmp_path / "second" / "manifest.json").exists()


# --- beside writers ---------------------------------------------------------------------------------


def test_what_is_superseded_while_it_is_exported_is_read_again(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as parts, opened(tmp_path / "a") as writer:
        ingest(parts, CORPUS)
        _when_first_read(parts, lambda: ingest(writer, {"5": ["running now"], "6": ["new"]}, version="2"))
        rows = rows_of(export(parts, tmp_path / "copy"))
        bodies = {row["body"] for row in rows if "body" in row}
        assert bodies == {body for doc_id, texts in CORPUS.items() if doc_id != "5" for body in texts} | {
            "running now"
        }
        assert len([row for row in rows if "document" in row]) == 5


def _when_first_read(parts: object, deed: Callable[[], None]) -> None:
    """Have something happen when the vectors of an intent are read for the first time."""
    store = parts.stores.vectors  # type: ignore[attr-defined]
    read = store.vectors

    def call(*arguments: object) -> object:
        store.vectors = read
        deed()
        return read(*arguments)

    store.vectors = call
