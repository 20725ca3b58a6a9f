"""Small vocabularies, written for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.formats.reading import FileOptions

FRUITS = (
    ("id", "name", "synonyms", "kinds", "parents"),
    ("MESH:D1", "Apple Disease", "Malus disorder|apple sickness", "Condition", "MESH:D9"),
    ("MESH:D2", "Pear Disease", "Pyrus disorder", "Condition", "MESH:D9"),
    ("MESH:D3", "Pearazole", "FK-506|pear drug", "Drug", ""),
    ("MESH:D9", "Fruit Diseases", "disorder of fruit", "Condition", ""),
)


def a_table(path: Path, rows: Sequence[Sequence[str]] = FRUITS, delimiter: str = "\t") -> Path:
    """A file of rows."""
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def a_folder(
    tmp_path: Path, rows: Sequence[Sequence[str]] = FRUITS, name: str = "fruits"
) -> VocabularyFolder:
    """A folder with one vocabulary."""
    folder = VocabularyFolder(tmp_path / "vocabularies")
    folder.add(a_table(tmp_path / f"{name}.tsv", rows), options=FileOptions())
    return folder
