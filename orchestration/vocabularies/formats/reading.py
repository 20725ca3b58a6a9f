"""What all formats share: options of a file, its text, concepts gathered from scattered rows, errors by line.

Comes in: a file, plain or compressed by gzip, bzip2 or xz. Leaves: text by lines, and VocabularyConcepts.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from orchestration.errors import InputUnreadableError, VocabularyUnreadableError
from orchestration.vocabularies.concepts import ConceptName, Scope, VocabularyConcept
from orchestration.vocabularies.curies import curie_of

__all__ = ["Concepts", "FileOptions", "ReadVocabulary", "fault", "open_bytes", "text_lines"]

MOST_NAME: Final = 2_000
"""Characters of a name; longer ones are definitions in the wrong column."""
MOST_LINE: Final = 4_000_000
"""Characters of a line."""

_OPENERS: Final[Mapping[bytes, Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a user says of a file that the file does not say itself."""

    prefix: str | None = None
    """Prefix of ids that have none."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column of a table by what is in it: id, name, synonyms ..."""
    kinds: tuple[str, ...] = ()
    """Kinds of mentions of all concepts."""
    languages: tuple[str, ...] = ()
    """Only names in these languages; empty: all."""
    sources: tuple[str, ...] = ()
    """Only rows of these sources of a file of UMLS (SAB); empty: all."""
    known_kinds: tuple[str, ...] = ()
    """Kinds that a table may name; empty: any."""


@dataclass(frozen=True, slots=True)
class ReadVocabulary:
    """Concepts of a file."""

    format: str
    concepts: Sequence[VocabularyConcept]
    version: str | None = None
    """As the file states it."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Entries that were not read, by reason, e.g. obsolete ones."""


def fault(path: Path, line: int | None, what: str) -> VocabularyUnreadableError:
    """The error of a file at a line, from 1; None where it has no lines."""
    place = f"{path}, line {line:,}" if line else str(path)
    return VocabularyUnreadableError(f"{place}: {what}")


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, decompressed; raises InputUnreadableError, VocabularyUnreadableError."""
    opener = None
    try:
        with path.open("rb") as file:
            head = file.read(6)
        opener = next((each for magic, each in _OPENERS.items() if head.startswith(magic)), None)
        with opener(path, "rb") if opener else path.open("rb") as content:
            yield content
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise fault(path, None, f"the compressed file is damaged ({error}). Download it again.") from error
    except OSError as error:
        if error.errno is None:  # a library's
            what = "the compressed file is damaged" if opener else "cannot be read"
            raise fault(path, None, f"{what} ({error}). Download it again.") from error
        raise InputUnreadableError(
            f"{path} cannot be read: {error.strerror}. Correct the path or its permissions."
        ) from error


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with their numbers, without line ends; raises VocabularyUnreadableError."""
    with open_bytes(path) as content:
        number = 0
        while line := content.readline(MOST_LINE):
            number += 1
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise fault(
                    path, number, f"byte {error.start + 1} is not UTF-8. Convert the file to UTF-8."
                ) from error
            if "\0" in text or (len(line) == MOST_LINE and not line.endswith(b"\n")):
                raise fault(path, number, "is not text: it has NUL characters or a line without an end.")
            yield number, text.rstrip("\r\n")


class Concepts:
    """Gathers concepts whose names, parents and references are in scattered rows; keeps the file's order."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        self._path = path
        self._options = options
        self._names: dict[str, dict[tuple[str, str], ConceptName]] = {}
        self._kinds: dict[str, dict[str, None]] = {}
        self._references: dict[str, dict[str, None]] = {}
        self._parents: dict[str, dict[str, None]] = {}

    def curie(self, text: str, line: int | None) -> str:
        """The CURIE of a concept's id; raises VocabularyUnreadableError for one without a prefix."""
        curie = curie_of(text, self._options.prefix)
        if curie is None:
            raise fault(
                self._path,
                line,
                f"{text[:80]!r} is no identifier with a prefix, as in MESH:D003920. Say which prefix the ids "
                "have, e.g. --prefix MESH.",
            )
        return curie

    def add_name(
        self,
        curie: str,
        text: str,
        line: int | None,
        *,
        scope: Scope = "exact",
        language: str = "en",
        documents: int = 0,
    ) -> None:
        """Add a name; the first one with scope preferred is the concept's name. Empty ones are ignored."""
        text = " ".join(text.split())
        languages = self._options.languages
        if not text or (languages and language.split("-", maxsplit=1)[0].lower() not in languages):
            return
        if len(text) > MOST_NAME:
            raise fault(
                self._path, line, f"a name of {curie} has {len(text):,} characters; is it a definition?"
            )
        names = self._names.setdefault(curie, {})
        present = names.get((text, language))
        if present is None or (scope == "preferred" and present.scope != "preferred"):
            documents = max(documents, present.documents if present else 0)
            names[text, language] = ConceptName(text, scope, language, documents)

    def add_kinds(self, curie: str, *kinds: str) -> None:
        self._kinds.setdefault(curie, {}).update(dict.fromkeys(kinds))

    def add_reference(self, curie: str, text: str) -> None:
        """Add a cross-reference; what is no CURIE is ignored, since files hold URLs and notes there."""
        reference = curie_of(text)
        if reference and reference != curie:
            self._references.setdefault(curie, {})[reference] = None

    def add_parent(self, curie: str, parent: str) -> None:
        if parent != curie:
            self._parents.setdefault(curie, {})[parent] = None

    def gathered(self) -> list[VocabularyConcept]:
        """Concepts that have a name; raises VocabularyUnreadableError where there is none at all."""
        concepts = [
            VocabularyConcept(
                curie,
                tuple(sorted(names.values(), key=_preferred_first)),
                self._options.kinds or tuple(self._kinds.get(curie, ())),
                tuple(self._references.get(curie, ())),
                tuple(self._parents.get(curie, ())),
            )
            for curie, names in self._names.items()
        ]
        if not concepts:
            raise fault(self._path, None, "has no concept with a name. Is it the right file and --format?")
        return concepts


def _preferred_first(name: ConceptName) -> tuple[bool, bool]:
    return name.scope != "preferred", name.language.split("-")[0] != "en"
