"""A tenant's visible chunks as one collection: counted, read, put and removed one by one.

Comes in: chunks of documents, whole or not. Leaves: the same through `DirectWrites`, which commits whole
documents: a document that gets, changes or loses a chunk is written again with the chunks it keeps. Their
vectors are made again, since stores give none back.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from orchestration.collection.chunk_vectors import ChunkVectors, PassedChunk
from orchestration.collection.direct_writes import DirectWrites, PassedDocument
from orchestration.contracts import Commit, DocumentStore, Ledger, SearchStore
from orchestration.errors import MalformedDocumentError, StoreCorruptError
from orchestration.records import Chunk, Document, DocumentKey, Section

__all__ = ["ChunkCollection"]

PARSER = "chunks/1"
"""Parser of documents whose text is put together from their chunks."""

Choice = Callable[[DocumentKey], bool]


@dataclass(frozen=True, slots=True)
class _Revision:
    """A document as it is to be: all its chunks, and the commit that readers see now."""

    key: DocumentKey
    previous: Commit | None
    chunks: list[PassedChunk]

    def is_held_as(self, fingerprint: str) -> bool:
        """Whether readers see exactly what a write of the chunks would make."""
        wanted = self.chunks[0].chunk.version, fingerprint
        return self.previous is not None and (self.previous.version, self.previous.fingerprint) == wanted


class ChunkCollection:
    """The visible chunks of one tenant; thread-safe, and one of its writes at a time."""

    def __init__(
        self,
        tenant_id: str,
        ledger: Ledger,
        search: SearchStore,
        documents: DocumentStore,
        writes: DirectWrites,
        vectors: ChunkVectors,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """`release` is called by `close`: it frees what was opened for this collection, e.g. its models."""
        self.tenant_id = tenant_id
        self._ledger = ledger
        self._search = search
        self._documents = documents
        self._writes = writes
        self._vectors = vectors
        self._release = release
        self.writing = threading.RLock()
        """Held while something is written; hold it to look first and write then."""

    def close(self) -> None:
        """Free what was opened for this collection; a later write loads models again. Idempotent."""
        self._release()

    # --- reading ------------------------------------------------------------------------------------

    def count(self) -> int:
        """Visible chunks."""
        return sum(commit.chunk_count for commit in self._ledger.commits.committed(self.tenant_id))

    def keys(self) -> list[DocumentKey]:
        """Visible documents."""
        return [commit.key for commit in self._ledger.commits.committed(self.tenant_id)]

    def chunks(self, chosen: Choice = lambda key: True) -> Iterator[tuple[DocumentKey, Chunk]]:
        """Chunks of the chosen documents, by document and in order; read on as they are consumed.

        A document is as it was committed before or during the reading. Raises StoreCorruptError for one that
        the search store lost.
        """
        for commit in [each for each in self._ledger.commits.committed(self.tenant_id) if chosen(each.key)]:
            for chunk in self._chunks_of(commit):
                yield commit.key, chunk

    def of_document(self, key: DocumentKey) -> list[Chunk]:
        """The visible chunks of a document, in order; [] if there is none."""
        commit = self._ledger.commits.find(key)
        return [] if commit is None else self._chunks_of(commit)

    def _chunks_of(self, commit: Commit) -> list[Chunk]:
        chunks = self._search.document_chunks(commit.key, commit.intent_id)
        if len(chunks) == commit.chunk_count:
            return chunks
        now = self._ledger.commits.find(commit.key)
        if now is None:
            return []
        if now.intent_id != commit.intent_id:  # superseded and cleaned since
            return self._chunks_of(now)
        raise StoreCorruptError(
            f"the search store holds {len(chunks)} of the {commit.chunk_count} chunks of "
            f"{commit.key.doc_id}. `medkg verify --repair` repairs it, or says what must be written again."
        )

    # --- writing ------------------------------------------------------------------------------------

    def put(self, passed: Sequence[PassedChunk]) -> None:
        """Keep chunks, in the place of those with their ids; all are visible when it returns.

        Chunks of another version than a document's visible one replace that version. Raises
        MalformedDocumentError before anything is written for vectors that cannot be kept, and for chunks of
        one document that contradict each other; DocumentsRefusedError, after all others are written, for
        documents that a store refuses.
        """
        with self.writing:
            self._vectors.check(passed)
            ordered = sorted(passed, key=_place)
            documents = groupby(ordered, lambda chunk: chunk.key)
            self._write([self._revision(key, list(chunks)) for key, chunks in documents])

    def remove(self, chunk_ids: Mapping[DocumentKey, Collection[str]]) -> None:
        """Forget chunks by their documents and ids; a document without chunks goes as a whole."""
        with self.writing:
            emptied, revised = [], []
            for key, gone in chunk_ids.items():
                previous = self._ledger.commits.find(key)
                held = [] if previous is None else self._chunks_of(previous)
                remaining = [PassedChunk(key, chunk) for chunk in held if chunk.chunk_id not in gone]
                if held and not remaining:
                    emptied.append(key)
                elif len(remaining) < len(held):
                    revised.append(_Revision(key, previous, remaining))
            self._writes.delete(emptied)  # first, since a store may refuse a revised document
            self._write(revised)

    def remove_documents(self, keys: Sequence[DocumentKey]) -> None:
        """Forget documents with all their chunks. Idempotent."""
        with self.writing:
            self._writes.delete(keys)

    def _revision(self, key: DocumentKey, passed: list[PassedChunk]) -> _Revision:
        """A document with new chunks, beside the visible ones of the same version."""
        version = passed[0].chunk.version
        if any(chunk.chunk.version != version for chunk in passed):
            raise MalformedDocumentError(
                f"chunks of two versions of {key.doc_id} came together. Write those of one version."
            )
        previous = self._ledger.commits.find(key)
        held = self._chunks_of(previous) if previous is not None and previous.version == version else []
        new = {chunk.chunk.chunk_id for chunk in passed}
        remaining = [PassedChunk(key, chunk) for chunk in held if chunk.chunk_id not in new]
        return _Revision(key, previous, sorted([*remaining, *passed], key=_place))

    def _write(self, revisions: Sequence[_Revision]) -> None:
        """Write what differs from what readers see."""
        marked = [(revision, self._fingerprint(revision.chunks)) for revision in revisions]
        due = [(revision, mark) for revision, mark in marked if not revision.is_held_as(mark)]
        if not due:
            return
        documents = [self._document(revision) for revision, _ in due]
        batches = self._vectors.batches([revision.chunks for revision, _ in due])
        self._writes.write(
            [
                PassedDocument(document, batch, mark)
                for document, batch, (_, mark) in zip(documents, batches, due, strict=True)
            ]
        )

    def _document(self, revision: _Revision) -> Document:
        """The document that the chunks point into: as it was parsed, or put together from them."""
        previous, chunks = revision.previous, [chunk.chunk for chunk in revision.chunks]
        if previous is not None and previous.version == chunks[0].version:
            parsed = self._documents.get(previous.key, previous.version, previous.fingerprint)
            if parsed is not None and parsed.parser != PARSER:
                _check_places(parsed.text, chunks)
                return parsed
        return _put_together(revision.key, chunks)

    def _fingerprint(self, passed: Sequence[PassedChunk]) -> str:
        """sha256 over what shapes a document's index entries: chunks, vectors that came, models."""
        shaping = hashlib.sha256(repr(sorted(self._vectors.model_ids.items())).encode())
        for chunk in passed:
            shaping.update(chunk.chunk.model_dump_json().encode("utf-8", "surrogatepass"))
            for vector in (chunk.dense, *(chunk.sparse or ())):
                shaping.update(b"-" if vector is None else vector.tobytes())
        return shaping.hexdigest()


def _place(passed: PassedChunk) -> tuple[str, str, int, int]:
    """Documents one after another, their chunks in order."""
    return passed.key.source, passed.key.doc_id, passed.chunk.ordinal, passed.chunk.start_char


def _put_together(key: DocumentKey, chunks: Sequence[Chunk]) -> Document:
    """A document whose text is its chunks in their places, with spaces where nothing is known."""
    text = [" "] * max(chunk.end_char for chunk in chunks)
    for chunk in chunks:
        text[chunk.start_char : chunk.end_char] = chunk.body
    joined = "".join(text)
    _check_places(joined, chunks)
    whole = Section(title="", title_path=(), start_char=0, end_char=len(joined))
    titled = next((chunk.title_path[0] for chunk in chunks if chunk.title_path), "")
    return Document(
        doc_id=key.doc_id,
        tenant_id=key.tenant_id,
        source=key.source,
        version=chunks[0].version,
        title=titled,
        text=joined,
        sections=(whole,),
        parser=PARSER,
    )


def _check_places(text: str, chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        if text[chunk.start_char : chunk.end_char] != chunk.body:
            raise MalformedDocumentError(
                f"{chunk.chunk_id} is not what stands at characters {chunk.start_char} to {chunk.end_char} "
                f"of {chunk.doc_id}. Give chunks of one version of the document, with their own offsets."
            )
