"""Tables become concepts; a row that is none is named by file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from orchestration.errors import InputUnreadableError, UsageError, VocabularyUnreadableError
from orchestration.vocabularies.formats.detection import read_vocabulary
from orchestration.vocabularies.formats.reading import FileOptions
from tests.orchestration.vocabularies.builders import a_table


def test_a_row_is_a_concept_with_its_synonyms_kinds_and_parents(tmp_path: Path) -> None:
    read = read_vocabulary(a_table(tmp_path / "fruits.tsv"), "auto", FileOptions())
    first = read.concepts[0]
    assert (read.format, first.curie, first.name) == ("tsv", "MESH:D1", "Apple Disease")
    assert [name.text for name in first.names] == ["Apple Disease", "Malus disorder", "apple sickness"]
    assert (first.kinds, first.parents) == (("Condition",), ("MESH:D9",))


def test_rows_of_one_id_add_names_and_the_first_is_preferred(tmp_path: Path) -> None:
    rows = [("ui", "term"), ("D1", "apple rot"), ("D1", "rot of apples")]
    options = FileOptions(prefix="MESH", columns={"id": "ui", "name": "term"})
    (concept,) = read_vocabulary(a_table(tmp_path / "a.tsv", rows), "auto", options).concepts
    assert (concept.curie, concept.name, len(concept.names)) == ("MESH:D1", "apple rot", 2)


def test_iris_and_quoted_cells_of_csv_are_read(tmp_path: Path) -> None:
    rows = [("id", "name"), ("https://id.nlm.nih.gov/mesh/D1", '"rot, of apples"')]
    (concept,) = read_vocabulary(a_table(tmp_path / "a.csv", rows, ","), "auto", FileOptions()).concepts
    assert (concept.curie, concept.name) == ("MESH:D1", "rot, of apples")


def test_compressed_files_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "fruits.tsv.gz"
    packed.write_bytes(gzip.compress(a_table(tmp_path / "fruits.tsv").read_bytes()))
    assert len(read_vocabulary(packed, "auto", FileOptions()).concepts) == 4


def test_a_compressed_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    packed = tmp_path / "fruits.tsv.gz"
    packed.write_bytes(gzip.compress(a_table(tmp_path / "fruits.tsv").read_bytes())[:-12])
    with pytest.raises(VocabularyUnreadableError, match="compressed file is damaged"):
        read_vocabulary(packed, "tsv", FileOptions())


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("id", "name"), ("MESH:D1", "")], r"a\.tsv, line 2: has no id or no name"),
        ([("id", "name"), ("MESH:D1", "a", "b")], r"line 2: has 3 cells where the first row names 2"),
        ([("ui", "name"), ("MESH:D1", "a")], r"line 1: no column is called 'id'; columns: ui, name"),
        ([("id", "name"), ("D1", "a")], r"line 2: 'D1' is no identifier with a prefix"),
        ([("id", "name", "scope"), ("MESH:D1", "a", "close")], r"line 2: scope 'close' is none of"),
        ([("id", "name", "documents"), ("MESH:D1", "a", "-1")], r"line 2: documents '-1' is no number"),
        ([("id", "name")], r"a\.tsv: has no concept with a name"),
        ([("id", "name"), ("MESH:D1", "a" * 2001)], r"line 2: a name of MESH:D1 has 2,001 characters"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    tmp_path: Path, rows: list[tuple[str, ...]], problem: str
) -> None:
    with pytest.raises(VocabularyUnreadableError, match=problem):
        read_vocabulary(a_table(tmp_path / "a.tsv", rows), "auto", FileOptions())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"id\tname\nMESH:D1\tcaf\xe9\n", "line 2: byte 12 is not UTF-8"),
        (b"id\tname\nMESH:D1\ta\0b\n", "line 2: is not text"),
        (b"", "has none of the formats"),
        (b"%PDF-1.4 hello", "has none of the formats"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(VocabularyUnreadableError, match=problem):
        read_vocabulary(path, "auto", FileOptions())


def test_a_missing_file_and_an_unknown_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadableError, match=r"none\.tsv cannot be read: No such file"):
        read_vocabulary(tmp_path / "none.tsv", "auto", FileOptions())
    with pytest.raises(UsageError, match="no format is called 'xls'; formats: auto"):
        read_vocabulary(a_table(tmp_path / "a.tsv"), "xls", FileOptions())
