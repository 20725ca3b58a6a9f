"""The index of one vocabulary: a SQLite file that is written once and then only read.

Comes in: concepts; keys of names. Leaves: the file, and the names that have these keys. A finished file never
changes, so any number of processes map it into memory and read it without locks.
Source: https://www.sqlite.org/uri.html (immutable), https://www.sqlite.org/mmap.html.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import Field

from orchestration.errors import StoreCorruptError
from orchestration.records import Record
from orchestration.vocabularies.concepts import Scope, VocabularyConcept
from orchestration.vocabularies.curies import KNOWN_PREFIXES, prefix_of
from orchestration.vocabularies.grams import grams_of, most_similar, postings
from orchestration.vocabularies.names import NAMES_VERSION, NameKeys, name_keys

__all__ = [
    "INDEX_VERSION",
    "Finding",
    "IndexedConcept",
    "IndexedName",
    "VocabularyAbout",
    "VocabularyIndex",
    "write_index",
]

INDEX_VERSION: Final = 1
"""Of the tables; another version is not read."""

_MAPPED_BYTES: Final = 1 << 30
_KEYS_PER_QUERY: Final = 400
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
_COLUMNS: Final = """
SELECT concepts.curie, concepts.name, concepts.kinds, names.text, names.scope, names.language,
       names.documents, names.words, names.joined, names.bag
"""
_NAMED: Final = f"""{_COLUMNS}
FROM names JOIN concepts ON concepts.id = names.concept WHERE names.{{column}} IN ({{places}})
"""
_NUMBERED: Final = f"""{_COLUMNS.replace("SELECT", "SELECT names.id,", 1)}
FROM names JOIN concepts ON concepts.id = names.concept WHERE names.id IN ({{places}})
"""
_DOCUMENTS: Final = """
SELECT concepts.curie, sum(names.documents) FROM names JOIN concepts ON concepts.id = names.concept
WHERE names.documents > 0 GROUP BY names.concept
"""
_NARROWER: Final = """
WITH RECURSIVE narrower (curie) AS (
    SELECT :curie
    UNION
    SELECT concepts.curie FROM parents JOIN narrower ON parents.curie = narrower.curie
    JOIN concepts ON concepts.id = parents.concept
)
SELECT curie FROM narrower WHERE curie <> :curie ORDER BY curie LIMIT :limit
"""

_DOUBTFUL: Final = {
    "names that several concepts have": """
        SELECT min(text) FROM names GROUP BY words HAVING count(DISTINCT concept) > 1 ORDER BY 1
    """,
    "concepts whose broader concept is not in the file": """
        SELECT DISTINCT concepts.curie FROM parents JOIN concepts ON concepts.id = parents.concept
        WHERE parents.curie NOT IN (SELECT curie FROM concepts) ORDER BY 1
    """,
    "concepts without a name of letters or digits": """
        SELECT curie FROM concepts WHERE id NOT IN (SELECT concept FROM names) ORDER BY 1
    """,
}


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


class Finding(NamedTuple):
    """What is doubtful in a vocabulary, how often, and the first of them."""

    what: str
    times: int
    examples: list[str]


class IndexedName(NamedTuple):
    """A name of a concept, with its keys."""

    curie: str
    concept_name: str
    kinds: tuple[str, ...]
    text: str
    scope: Scope
    language: str
    documents: int
    keys: NameKeys


def _indexed(row: tuple[Any, ...]) -> IndexedName:
    curie, name, kinds, text, scope, language, documents, words, joined, bag = row
    of_kinds = tuple(filter(None, kinds.split("|")))
    return IndexedName(curie, name, of_kinds, text, scope, language, documents, NameKeys(words, joined, bag))


class IndexedConcept(NamedTuple):
    """A concept with all that the index holds of it."""

    curie: str
    name: str
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    cross_references: tuple[str, ...]
    parents: tuple[str, ...]


def write_index(path: Path, concepts: Sequence[VocabularyConcept], **stated: Any) -> VocabularyAbout:
    """Write a new index to `path`; durable when it returns. `stated`: fields of VocabularyAbout.

    The file is incomplete until then: write it beside its place, then rename it.
    """
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        about = _filled(database, concepts, **stated)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return about


def _filled(
    database: sqlite3.Connection, concepts: Sequence[VocabularyConcept], **stated: Any
) -> VocabularyAbout:
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
    checksum = _checksum(database)
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


def _checksum(database: sqlite3.Connection) -> str:
    """sha256 of all concepts, names, cross-references and parents, in the file's order."""
    digest = hashlib.sha256()
    for table in ("concepts", "names", "cross_references", "parents"):
        for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid"):
            digest.update(repr(row).encode())
    return digest.hexdigest()


class VocabularyIndex:
    """A finished index, read only. Thread-safe. Any method raises StoreCorruptError for a damaged file."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        """Raises StoreCorruptError for a database that is no index or of another version."""
        self._database = database
        self._name = name
        try:
            (content,) = database.execute("SELECT content FROM about").fetchone()
            about = json.loads(content)
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise self._damaged(str(error)) from error
        versions = (about.get("index_version"), about.get("names_version"))
        if versions != (INDEX_VERSION, NAMES_VERSION):
            raise self._damaged("it was written by another version of medkg")
        self.about = VocabularyAbout.model_validate(about)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The index in a file; raises StoreCorruptError."""
        address = f"file:{_quoted(path)}?mode=ro&immutable=1"
        try:
            database = sqlite3.connect(address, uri=True, check_same_thread=False)
            database.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
        except sqlite3.DatabaseError as error:
            raise _damaged(path.stem, str(error)) from error
        return cls(database, path.stem)

    @classmethod
    def of_concepts(cls, concepts: Sequence[VocabularyConcept], name: str) -> Self:
        """An index in memory."""
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _filled(database, concepts, version=None, name=name, format="memory", file=name)
        return cls(database, name)

    def close(self) -> None:
        self._database.close()

    def named(self, keys: Collection[NameKeys]) -> list[IndexedName]:
        """Names with the same joined words or the same bag of words; each once, in the file's order."""
        rows: dict[tuple[Any, ...], None] = {}
        for column in ("joined", "bag"):
            wanted = sorted({getattr(each, column) for each in keys} - {""})
            for start in range(0, len(wanted), _KEYS_PER_QUERY):
                part = wanted[start : start + _KEYS_PER_QUERY]
                statement = _NAMED.format(column=column, places=", ".join("?" * len(part)))
                rows |= dict.fromkeys(self._rows(statement, part))
        return [_indexed(row) for row in rows]

    def similar(self, words: str, limit: int) -> list[IndexedName]:
        """Names whose trigrams are most similar to those of a normalised name, the most similar first."""
        grams = grams_of(words)
        places = ", ".join("?" * len(grams))
        rows = self._rows(f"SELECT gram, names FROM grams WHERE gram IN ({places}) ORDER BY gram", grams)
        nearest = [row for row, _ in most_similar(dict(rows), self._lengths, len(grams), limit)]
        places = ", ".join("?" * len(nearest))
        by_row = {row[0]: _indexed(row[1:]) for row in self._rows(_NUMBERED.format(places=places), nearest)}
        return [by_row[row] for row in nearest]

    @cached_property
    def _lengths(self) -> bytes:
        """Lengths of the vectors of all names."""
        lengths: bytes = self._rows("SELECT lengths FROM gram_lengths", [])[0][0]
        return lengths

    def word_counts(self, words: Collection[str]) -> dict[str, int]:
        """Number of names with each of these words, where there are any."""
        wanted = sorted(set(words))
        places = ", ".join("?" * len(wanted))
        return dict(self._rows(f"SELECT word, names FROM word_counts WHERE word IN ({places})", wanted))

    def documents(self) -> dict[str, int]:
        """Documents of the annotated corpus that mention each concept, by its name most of them use."""
        return dict(self._rows(_DOCUMENTS, []))

    def concept(self, curie: str) -> IndexedConcept | None:
        """The concept of a CURIE; None if this vocabulary has none."""
        rows = self._rows("SELECT id, name, kinds FROM concepts WHERE curie = ?", [curie])
        if not rows:
            return None
        number, name, kinds = rows[0]
        return IndexedConcept(
            curie,
            name,
            tuple(filter(None, kinds.split("|"))),
            self._column("SELECT text FROM names WHERE concept = ? ORDER BY rowid", number),
            self._column("SELECT curie FROM cross_references WHERE concept = ? ORDER BY rowid", number),
            self._column("SELECT curie FROM parents WHERE concept = ? ORDER BY rowid", number),
        )

    def referring(self, curie: str) -> tuple[str, ...]:
        """Concepts with this cross-reference."""
        return self._column(
            "SELECT concepts.curie FROM cross_references AS given "
            "JOIN concepts ON concepts.id = given.concept WHERE given.curie = ? ORDER BY concepts.curie",
            curie,
        )

    def narrower(self, curie: str, limit: int = 10_000) -> tuple[str, ...]:
        """Concepts below a concept at any depth, without itself; loops do no harm."""
        return tuple(row[0] for row in self._rows(_NARROWER, {"curie": curie, "limit": limit}))

    def check(self) -> list[Finding]:
        """Read the whole file: what is doubtful in the vocabulary; StoreCorruptError for a damaged file."""
        damage = [str(row[0]) for row in self._rows("PRAGMA integrity_check(3)", []) if row[0] != "ok"]
        if damage:
            raise self._damaged("; ".join(damage))
        try:
            checksum = _checksum(self._database)
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error
        if checksum != self.about.checksum:
            raise self._damaged("its content has another checksum than when it was written")
        findings = [Finding(what, *self._counted(statement)) for what, statement in _DOUBTFUL.items()]
        unknown = [prefix for prefix in self.about.prefixes if prefix not in KNOWN_PREFIXES]
        findings.append(Finding("prefixes that the Biolink model does not name", len(unknown), unknown[:5]))
        return [finding for finding in findings if finding.times]

    def _counted(self, statement: str) -> tuple[int, list[str]]:
        rows = self._rows(statement, [])
        return len(rows), [str(row[0]) for row in rows[:5]]

    def _column(self, statement: str, value: object) -> tuple[str, ...]:
        return tuple(row[0] for row in self._rows(statement, [value]))

    def _rows(self, statement: str, values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, cause: str) -> StoreCorruptError:
        return _damaged(self._name, cause)


def _damaged(name: str, cause: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"the index of vocabulary {name!r} cannot be used: {cause}. Add the vocabulary again with `medkg "
        f"vocabulary add FILE --name {name}`, or remove it."
    )


def _quoted(path: Path) -> str:
    """A path inside a SQLite URI."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
