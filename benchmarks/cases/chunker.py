"""Chunking: the plane's chunkers against Haystack's DocumentSplitter with its defaults, on the same texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orchestration.errors import MedkgError
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.records import Document, RawPayload, content_version

from ..bench import TIMEOUT, Bench
from ..load.round_robin import best_rates


def measure(bench: Bench) -> dict[str, Any]:
    """Documents a second of both; ours counts tokens, keeps headings and offsets, and crosses a process."""
    documents = [_document(number, text) for number, text in enumerate(bench.texts)]
    profiles = ["default"] * len(documents)
    chunks = 0

    def plane() -> None:
        nonlocal chunks
        outcomes = bench.plane.chunk(documents, profiles, TIMEOUT)
        chunks = sum(len(outcome) for outcome in outcomes if not isinstance(outcome, MedkgError))

    contenders = {"plane": plane, "document_splitter": _splitter(bench.texts)}
    rates = best_rates(contenders, len(documents), bench.rounds)
    return {
        "documents": len(documents),
        "chunks": chunks,
        "docs_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "plane_to_document_splitter": round(rates["plane"] / rates["document_splitter"], 2),
    }


def _document(number: int, text: str) -> Document:
    content = text.encode()
    payload = RawPayload(
        doc_id=str(number),
        source="files",
        format="text",
        content=content,
        uri=f"bench:{number}",
        version=content_version(content),
    )
    return PlainTextParser().parse(payload, "default")


def _splitter(texts: Sequence[str]) -> Callable[[], Any]:
    from haystack import Document as HaystackDocument
    from haystack.components.preprocessors import DocumentSplitter

    splitter = DocumentSplitter()
    documents = [HaystackDocument(content=text) for text in texts]
    return lambda: splitter.run(documents)
