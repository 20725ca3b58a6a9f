"""Reading the index of one vocabulary: a SQLite file that `index_writing` writes once.

Comes in: keys of names, CURIEs. Leaves: the names and concepts that have them. A finished file never
changes, so any number of processes map it into memory and read it without locks.
Source: https://www.sqlite.org/uri.html (immutable), https://www.sqlite.org/mmap.html.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from orchestration.errors import StoreCorruptError
from orchestration.vocabularies.concepts import Scope, VocabularyConcept
from orchestration.vocabularies.curies import KNOWN_PREFIXES
from orchestration.vocabularies.grams import grams_of, most_similar
from orchestration.vocabularies.index_writing import INDEX_VERSION, VocabularyAbout, checksum_of, fill
from orchestration.vocabularies.names import NAMES_VERSION, NameKeys

__all__ = [
    "Finding",
    "IndexedConcept",
    "IndexedName",
    "VocabularyIndex",
]

_MAPPED_BYTES: Final = 1 << 30
_KEYS_PER_QUERY: Final = 400
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
        fill(database, concepts, version=None, name=name, format="memory", file=name)
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
            checksum = checksum_of(self._database)
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
