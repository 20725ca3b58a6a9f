"""Synthetic chunks by the hundred thousand, and the round-robin timing of two stores over them.

Texts are words drawn by Zipf's law, the same for the same seed. Comes in: calls of medkg and of an engine
used bare. Leaves: rates, milliseconds and their ratios.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from opensearchpy.exceptions import TransportError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from orchestration.contracts import ChunkRef, Filters
from orchestration.errors import UnavailableError
from orchestration.records import Chunk, DocumentKey

from ..load.latency import latencies

__all__ = [
    "ANYTHING",
    "A_DOCUMENT",
    "PART",
    "QUERIES",
    "TENANT",
    "Figures",
    "Part",
    "Texts",
    "Timed",
    "everything",
    "searched",
]

TENANT: Final = "bench"
PART: Final = 1_000
"""Chunks an intent: those of a window of 100 articles."""
A_DOCUMENT: Final = 10
WORDS: Final = 50_000
LENGTH: Final = 80
QUERIES: Final = 300
ANYTHING: Final = Filters()

Part = list[tuple[DocumentKey, Chunk]]
Figures = dict[str, Any]


def everything(ref: ChunkRef) -> bool:
    return True


class Texts:
    """Chunks and queries of synthetic words, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        letters = self._random.integers(97, 123, size=(WORDS, 9), dtype=np.uint8)
        lengths = self._random.integers(3, 10, size=WORDS)
        self._words = [bytes(row[:length]).decode() for row, length in zip(letters, lengths, strict=True)]
        shares = 1 / np.arange(2, WORDS + 2)
        self._shares = np.cumsum(shares / shares.sum())

    def _drawn(self, count: int) -> list[str]:
        numbers = np.searchsorted(self._shares, self._random.random(count))
        return [self._words[number] for number in numbers.tolist()]

    def part(self, first: int) -> Part:
        """PART chunks, A_DOCUMENT of them a document."""
        part: Part = []
        words = self._drawn(PART * LENGTH)
        for number in range(first, first + PART):
            doc_id = str(number // A_DOCUMENT)
            key = DocumentKey(tenant_id=TENANT, source="pmc", doc_id=doc_id)
            start = (number - first) * LENGTH
            body = " ".join(words[start : start + LENGTH])
            ordinal = number % A_DOCUMENT
            part.append((key, a_chunk(doc_id, ordinal, body)))
        return part

    def queries(self, count: int) -> list[str]:
        """Four words each, none among the commonest fifty."""
        rare = (word for word in iter(lambda: self._drawn(1)[0], None) if word not in self._words[:50])
        return [" ".join(next(rare) for _ in range(4)) for _ in range(count)]


def a_chunk(doc_id: str, ordinal: int, body: str) -> Chunk:
    """With the metadata of an article's section."""
    return Chunk(
        chunk_id=f"pmc:{doc_id}:v:{ordinal}",
        doc_id=doc_id,
        tenant_id=TENANT,
        version="v",
        ordinal=ordinal,
        body=body,
        title_path=(f"Article {doc_id}", "Results"),
        section="results",
        start_char=ordinal * 1_000,
        end_char=ordinal * 1_000 + len(body),
        block_ids=(f"b{ordinal}",),
        token_count=LENGTH,
        granularity="chunk",
        chunker="written",
        chunker_version="1",
    )


def ratio(bare: float, ours: float) -> float:
    return round(bare / ours, 3)


class Timed:
    """Seconds spent in calls, by contender; a server that is overloaded is asked again, as a stage does."""

    AGAIN: ClassVar = Retrying(
        retry=retry_if_exception_type((UnavailableError, TransportError)),
        wait=wait_exponential(max=10),
        stop=stop_after_attempt(8),
        reraise=True,
    )

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[..., Any], *arguments: Any) -> None:
        started = time.perf_counter()
        self.AGAIN(call, *arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def figures(self, count: int) -> Figures:
        ours, bare = self.seconds["medkg"], self.seconds["bare"]
        return {
            "written_per_second": round(count / ours),
            "bare_written_per_second": round(count / bare),
            "write_rate_to_bare": ratio(bare, ours),
        }


def searched(
    contenders: dict[str, Callable[[Any], Any]], questions: Sequence[Any], write_on: Callable[[], Any]
) -> Figures:
    """At rest, and while one thread writes a part after the other."""
    at_rest = latencies(contenders, questions)
    stop = threading.Event()

    def writing() -> None:
        while not stop.wait(0.5):
            write_on()

    writer = threading.Thread(target=writing)
    writer.start()
    try:
        under_ingest = latencies(contenders, questions[: len(questions) // 2])
    finally:
        stop.set()
        writer.join()
    return {
        "at_rest": at_rest,
        "under_ingest": under_ingest,
        "rate_to_bare": ratio(at_rest["bare"]["p50_ms"], at_rest["medkg"]["p50_ms"]),
        "rate_to_bare_under_ingest": ratio(under_ingest["bare"]["p50_ms"], under_ingest["medkg"]["p50_ms"]),
    }
