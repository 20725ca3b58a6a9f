"""Writing the index of one vocabulary: the tables of its SQLite file, filled once.

Comes in: concepts. Leaves: the finished file, and what it holds.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from orchestration.records import Record
from orchestration.vocabularies.concepts import VocabularyConcept
from orchestration.vocabularies.curies import prefix_of
from orchestration.vocabularies.grams import postings
from orchestration.vocabularies.names import NAMES_VERSION, name_keys

__all__ = ["INDEX_VERSION", "VocabularyAbout", "checksum_of", "fill", "write_index"]

INDEX_VERSION: Final = 1
"""Of the tables; another version is not read."""

_TABLES: Final = """
CREATE TABLE about (content TEXT NOT NULL);
CREATE TABLE concepts (id INTEGER PRIMARY KEY, curie TEXT NOT NULL, name TEXT NOT NULL, kinds TEXT NOT NULL);
CREATE TABLE names (
    id INTEGER PRIMARY KEY, concept INTEGER NOT NULL, text TEXT NOT NULL, scope TEXT NOT NULL,
    language TEXT NOT NULL, documents INTEGER NOT NULL,
    words TEXT NOT NULL, joined TEXT NOT NULL, bag TEXT NOT NULL
);
CREATE TABLE cross_references (concept INTEGER NOT NULL, curie TEXT NOT NULL);
CREATE TABLE parents (concept INTEGER NOT NULL, curie TEXT NOT NULL);
CREATE TABLE grams (gram TEXT PRIMARY KEY, names BLOB NOT NULL);
CREATE TABLE gram_lengths (lengths BLOB NOT NULL);
CREATE TABLE word_counts (word TEXT PRIMARY KEY, names INTEGER NOT NULL) WITHOUT ROWID;
"""
_INDEXES: Final = """
CREATE UNIQUE INDEX concepts_by_curie ON concepts (curie);
CREATE INDEX names_by_joined ON names (joined);
CREATE INDEX names_by_bag ON names (bag);
CREATE INDEX names_by_concept ON names (concept);
CREATE INDEX references_by_concept ON cross_references (concept);
CREATE INDEX references_by_curie ON cross_references (curie);
CREATE INDEX parents_by_concept ON parents (concept);
CREATE INDEX parents_by_curie ON parents (curie);
ANALYZE;
"""


class VocabularyAbout(Record):
    """What a vocabulary is, and what it holds."""

    name: str = Field(description="Its name in this data folder.")
    version: str = Field(description="As the file or the user states it, else the start of the checksum.")
    format: str = Field(description="Format of the file.")
    file: str = Field(description="Name of the file that was read.")
    licence: str | None = Field(default=None, description="As the user states it.")
    kinds: dict[str, int] = Field(description="Concepts by kind of mention.")
    prefixes: dict[str, int] = Field(description="Concepts by prefix of their CURIE.")
    languages: dict[str, int] = Field(description="Names by language.")
    concepts: int = Field(ge=1, description="Concepts.")
    names: int = Field(ge=1, description="Names.")
    left_out: dict[str, int] = Field(default_factory=dict, description="Entries not read, by reason.")
    checksum: str = Field(description="sha256 of concepts and names; the same for the same content.")
    names_version: int = Field(default=NAMES_VERSION, description="Of the keys of names.")
    index_version: int = Field(default=INDEX_VERSION, description="Of the tables.")


def write_index(path: Path, concepts: Sequence[VocabularyConcept], **stated: Any) -> VocabularyAbout:
    """Write a new index to `path`; durable when it returns. `stated`: fields of VocabularyAbout.

    The file is incomplete until then: write it beside its place, then rename it.
    """
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        about = fill(database, concepts, **stated)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return about


def fill(
    database: sqlite3.Connection, concepts: Sequence[VocabularyConcept], **stated: Any
) -> VocabularyAbout:
    """Write the tables into an empty database; `stated`: fields of VocabularyAbout."""
    database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA page_size=8192;")
    database.executescript(_TABLES)
    database.execute("BEGIN")
    _insert(database, concepts)
    about = _described(database, concepts, **stated)
    database.execute("INSERT INTO about VALUES (?)", (about.model_dump_json(),))
    database.execute("COMMIT")
    database.executescript(_INDEXES)
    return about


def _insert(database: sqlite3.Connection, concepts: Sequence[VocabularyConcept]) -> None:
    database.executemany(
        "INSERT INTO concepts VALUES (?, ?, ?, ?)",
        ((number, each.curie, each.name, "|".join(each.kinds)) for number, each in enumerate(concepts)),
    )
    database.executemany("INSERT INTO names VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", _name_rows(concepts))
    database.executemany(
        "INSERT INTO cross_references VALUES (?, ?)",
        ((number, curie) for number, each in enumerate(concepts) for curie in each.cross_references),
    )
    database.executemany(
        "INSERT INTO parents VALUES (?, ?)",
        ((number, curie) for number, each in enumerate(concepts) for curie in each.parents),
    )
    words = Counter(
        word for (text,) in database.execute("SELECT words FROM names") for word in set(text.split())
    )
    database.executemany("INSERT INTO word_counts VALUES (?, ?)", words.items())
    rows = database.execute("SELECT id, words FROM names ORDER BY id").fetchall()
    names_of_grams, lengths = postings(rows)
    database.executemany("INSERT INTO grams VALUES (?, ?)", names_of_grams.items())
    database.execute("INSERT INTO gram_lengths VALUES (?)", (lengths,))


def _name_rows(concepts: Sequence[VocabularyConcept]) -> Iterator[tuple[Any, ...]]:
    """Names with their keys; of a concept's names with the same words the first is kept per language."""
    for number, concept in enumerate(concepts):
        present: set[tuple[str, str]] = set()
        for name in concept.names:
            keys = name_keys(name.text)
            if keys.joined and (keys.words, name.language) not in present:
                present.add((keys.words, name.language))
                yield number, name.text, name.scope, name.language, name.documents, *keys


def _described(
    database: sqlite3.Connection, concepts: Sequence[VocabularyConcept], *, version: str | None, **stated: Any
) -> VocabularyAbout:
    checksum = checksum_of(database)
    languages = database.execute("SELECT language, count(*) FROM names GROUP BY language ORDER BY language")
    by_language = dict(languages.fetchall())
    return VocabularyAbout(
        version=version or checksum[:12],
        kinds=dict(sorted(Counter(kind for each in concepts for kind in each.kinds).items())),
        prefixes=dict(sorted(Counter(prefix_of(each.curie) for each in concepts).items())),
        languages=by_language,
        concepts=len(concepts),
        names=sum(by_language.values()),
        checksum=checksum,
        **stated,
    )


def checksum_of(database: sqlite3.Connection) -> str:
    """sha256 of all concepts, names, cross-references and parents, in the file's order."""
    digest = hashlib.sha256()
    for table in ("concepts", "names", "cross_references", "parents"):
        for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid"):
            digest.update(repr(row).encode())
    return digest.hexdigest()
