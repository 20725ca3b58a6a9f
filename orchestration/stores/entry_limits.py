"""Limits of one entry that hold in every store, and the error that names documents beyond them.

Comes in: what is to be written. Leaves: nothing, or DocumentsRefusedError with the reason per document. A
term of Lucene has at most 32,766 bytes; the embedded stores keep to it too, so that a document that one
store takes can move to any other. Words of texts are cut by the analysis and need no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestration.contracts import Facets
from orchestration.errors import DocumentsRefusedError, MedkgError
from orchestration.records import DocumentKey

__all__ = ["MOST_NAMED", "MOST_TERM_BYTES", "NEXT_STEP", "check_entries", "refusal_reason", "refused"]

MOST_TERM_BYTES: Final = 32_766
"""Of an id or a facet's value, in UTF-8."""

MOST_NAMED: Final = 80
"""Characters of an id in a message."""

SHORTEST_NAMED: Final = 20

NEXT_STEP: Final = "Correct the record, then `medkg dlq replay`."


def check_entries(entries: Iterable[tuple[DocumentKey, str, Facets]]) -> None:
    """Check (document, chunk id, facets); raises DocumentsRefusedError for documents beyond the limits."""
    reasons = {key: reason for key, chunk_id, facets in entries for reason in _reasons(key, chunk_id, facets)}
    if reasons:
        raise refused(reasons)


def refusal_reason(key: DocumentKey, error: MedkgError) -> str:
    """Return what a store refuses of a document; raises any other error, which is not the document's."""
    if not isinstance(error, DocumentsRefusedError):
        raise error
    return str(error.reasons.get(key, error.message))


def refused(reasons: Mapping[DocumentKey, str]) -> DocumentsRefusedError:
    """The error for these documents; its message has the first of them."""
    key, reason = next(iter(reasons.items()))
    others = f" So are {len(reasons) - 1} more documents." if len(reasons) > 1 else ""
    return DocumentsRefusedError(f"{key.doc_id[:MOST_NAMED]}: {reason}. {NEXT_STEP}{others}", reasons)


def _reasons(key: DocumentKey, chunk_id: str, facets: Facets) -> Iterator[str]:
    named = [("its source", key.source), ("its id", key.doc_id), ("a chunk's id", chunk_id)]
    named += [(f"a value of {name}", value) for name, values in facets.items() for value in values]
    for name, value in named:
        if (
            len(value) > MOST_TERM_BYTES // 4
            and (size := len(value.encode("utf-8", "surrogatepass"))) > MOST_TERM_BYTES
        ):
            yield f"{name} ({value[:SHORTEST_NAMED]}...) has {size} bytes; a store takes {MOST_TERM_BYTES}"
