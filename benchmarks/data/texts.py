"""What is measured on: texts of documents, read as a run reads them, and questions made from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from medkg.testing.document_checks import indexed_part
from orchestration.contracts import SourceRequest
from orchestration.errors import MedkgError
from orchestration.plugins.isolated_stage import installed_parsers
from orchestration.records import AdapterRequest, Document, RawPayload
from orchestration.sources.files import FilesSource

__all__ = ["as_abstracts", "as_files", "documents_of", "questions_from", "synthetic", "texts_of"]

MOST_BYTES: Final = 50_000_000


def documents_of(path: Path) -> Iterator[Document]:
    """Every document of a file or folder, as a run parses it, in order, without what that refuses.

    Raises UsageError for a path that does not exist.
    """
    parsers = installed_parsers()
    source = FilesSource.from_parsers(parsers, MOST_BYTES)
    for item in source.enumerate(SourceRequest(plugin="files", paths=(str(path),))):
        if item.error_code is not None:
            continue
        request = AdapterRequest(tenant_id="bench", plugin="files", doc_id=item.doc_id, locator=item.locator)
        (payload,) = source.fetch([request])
        with suppress(MedkgError):
            if isinstance(payload, RawPayload):
                yield parsers[payload.format].parse(payload, "bench")


def texts_of(path: Path, fits: Callable[[str], bool]) -> Iterator[str]:
    """What is embedded of these documents: the whole text where it fits, else the sections that do."""
    for document in map(indexed_part, documents_of(path)):
        if fits(document.text):
            yield document.text
        else:
            sections = (document.text[section.start_char : section.end_char] for section in document.sections)
            yield from (text for text in sections if text.strip() and fits(text))


def questions_from(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Runs of eight to sixteen words from the texts, the same for a seed."""
    rng = random.Random(seed)
    questions = []
    for _ in range(count):
        words = rng.choice(texts).split()
        length = min(len(words), rng.randint(8, 16))
        start = rng.randrange(len(words) - length + 1)
        questions.append(" ".join(words[start : start + length]))
    return questions


def synthetic(texts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Short texts, a number and a sentence of the given ones each, no two alike; the same for a seed."""
    rng = random.Random(seed)
    sentences = [
        sentence.strip()
        for text in texts
        for sentence in re.split(r"(?<=[.?!])\s+", text)
        if sentence.strip()
    ]
    for number in range(count):
        yield f"Record {number}. {rng.choice(sentences)}"


def as_abstracts(path: Path, texts: Iterable[str], first: int = 1) -> Path:
    """The path, written with an abstract of each text, numbered from `first`, one JSON object a line."""
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(texts, start=first):
            record = {"pmid": str(number), "sections": [{"label": "ABSTRACT", "text": text}]}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def as_files(folder: Path, texts: Sequence[str]) -> Path:
    """The folder, made, with a file of each text."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder
