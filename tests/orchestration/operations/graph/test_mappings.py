"""Aliases from tables of mappings."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from orchestration.errors import UsageError
from orchestration.operations.graph.mappings import key_of_curie, read_mappings

HEADER = """#curie_map:
#  skos: http://www.w3.org/2004/02/skos/core#
#  m: http://id.nlm.nih.gov/mesh/
#mapping_set_version: 2026-11
"""
COLUMNS = "subject_id\tsubject_label\tpredicate_id\tpredicate_modifier\tobject_id\tcomment\n"


def a_table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "some.sssom.tsv"
    path.write_text(header + COLUMNS + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_exact_matches_become_aliases_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = a_table(
        tmp_path,
        "mondo:0004975\tAD\tskos:exactMatch\t\tmesh:D000544\tby hand",
        "m:D000001\tx\thttp://www.w3.org/2004/02/skos/core#exactMatch\t\tchebi:1\t",
        "doid:1\tx\tskos:broadMatch\t\tmesh:D2\t",
        "doid:1\tx\tskos:exactMatch\tNot\tmesh:D3\t",
        "doid:1\tx\tskos:exactMatch\t\tDOID:1\t",
        "\tx\tskos:exactMatch\t\tmesh:D5\t",
        "MONDO:0004975\tAD\tskos:exactMatch\t\tMESH:D000544\tagain",
    )
    mappings = read_mappings(path)
    assert [(each.from_key, each.to_key, each.reason) for each in mappings.aliases] == [
        ("MONDO:0004975", "MESH:D000544", "by hand"),
        ("MESH:D000001", "CHEBI:1", ""),
    ]
    assert mappings.left_out == {
        "not an exact match": 1,
        "repeated": 1,
        "skos:broadMatch": 1,
        "the same key twice": 1,
        "without an id": 1,
    }
    assert (mappings.origin, mappings.version) == ("some.sssom.tsv", "2026-11")
    assert {each.version for each in mappings.aliases} == {"2026-11"}


def test_compressed_and_comma_separated_files_and_files_without_a_header_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write('subject_id,predicate_id,object_id\nHP:1,skos:exactMatch,"MESH:D1"\n')
    mappings = read_mappings(path)
    assert [(each.from_key, each.to_key) for each in mappings.aliases] == [("HP:1", "MESH:D1")]
    assert len(mappings.version) == 12


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "line 1: there is no column 'subject_id'"),
        (b"#a: 1\nsubject_id\tobject_id\n", "line 2: there is no column 'predicate_id'"),
        (b"#a: [1\nsubject_id\tpredicate_id\tobject_id\n", "is not YAML"),
        (b"subject_id\tpredicate_id\tobject_id\n\xff\n", "not UTF-8"),
        (b"subject_id\tpredicate_id\tobject_id\nA:1\t" + b"x" * 200_000 + b"\tB:1\n", "field larger than"),
    ],
)
def test_what_is_no_table_of_mappings_is_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=cause):
        read_mappings(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_mappings(tmp_path / "missing.tsv")


def test_keys_have_the_spelling_of_vocabularies() -> None:
    assert key_of_curie("http://purl.obolibrary.org/obo/MONDO_0004975") == "MONDO:0004975"
    assert key_of_curie("own:1", {"own": "http://id.nlm.nih.gov/mesh/"}) == "MESH:1"
    assert key_of_curie("unknown:1", {"unknown": "http://example.org/"}) == "unknown:1"
    assert key_of_curie("two words") is None
