"""What a repair computes with: the models, the chunk stages of topologies, and the sources.

Comes in: the parts of a data folder. Leaves: `Means`; nothing is loaded before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from orchestration.contracts import Commit, Origin, Outcome, SparseVectors
from orchestration.errors import InputUnreadableError, MedkgError, UnavailableError
from orchestration.operations.models import LazyModels
from orchestration.operations.parts import Parts
from orchestration.records import AdapterRequest, Chunk, Document, Fingerprints, StageContext
from orchestration.stores.restored_entries import Means, context_of

__all__ = ["open_means", "pipeline_of"]


@contextmanager
def open_means(parts: Parts, notify: Callable[[str], None]) -> Iterator[Means]:
    """The means of a data folder; models that were loaded are freed at the end."""
    with LazyModels(lambda: parts.models(("dense", "sparse"), notify)) as models:
        chunk_by_topology = parts.chunker(lambda texts: models().embed_texts(texts)[0])
        fingerprints = cache(partial(_fingerprints, parts))

        def chunk(pipeline: str, documents: Sequence[Document]) -> Sequence[Outcome[list[Chunk]]]:
            try:
                return chunk_by_topology(pipeline, documents)
            except UnavailableError:
                raise
            except MedkgError as error:  # the topology is not there any more, or was never one
                return [error] * len(documents)

        def encode_sparse(texts: Sequence[str]) -> SparseVectors | None:
            return models().encode_sparse_texts(texts) if "sparse" in models().model_ids() else None

        yield Means(
            embed=lambda texts: models().embed_texts(texts),
            encode_sparse=encode_sparse,
            chunk=chunk,
            extract=parts.extract,
            fetch=lambda commits: _fetched(parts, commits),
            is_current=lambda commit: _now(fingerprints, commit) is not None,
            extracted_as=lambda commit: _extracted_as(parts, _now(fingerprints, commit), commit),
        )


def pipeline_of(parts: Parts) -> Callable[[str, str], str | None]:
    """Finds the topology whose documents have a fingerprint with a dense model now."""

    @cache
    def fingerprints(name: str, model: str) -> frozenset[str]:
        return frozenset(each.index for each in parts.fingerprints(name, model).values())

    def find(fingerprint: str, model: str) -> str | None:
        names = parts.topologies.valid_names()
        return next((name for name in names if fingerprint in fingerprints(name, model)), None)

    return find


FingerprintsNow = Callable[[str, str], Collection[Fingerprints]]


def _fingerprints(parts: Parts, pipeline: str, model: str) -> Collection[Fingerprints]:
    """Fingerprints that a run would give documents now; none of a topology that is not there any more."""
    try:
        return frozenset(parts.fingerprints(pipeline, model).values())
    except MedkgError:
        return frozenset()


def _now(fingerprints: FingerprintsNow, commit: Commit) -> Fingerprints | None:
    """What a run would give the document now, if its index would stay as it is."""
    known = fingerprints(commit.pipeline, commit.namespace)
    return next((each for each in known if each.index == commit.fingerprint), None)


def _extracted_as(parts: Parts, now: Fingerprints | None, commit: Commit) -> tuple[str | None, str | None]:
    """Fingerprints of the parsed document and of what is extracted of it now; None: not known."""
    if now is not None:
        return now.parse, now.graph
    if commit.parse_fingerprint is None:
        return None, None
    return commit.parse_fingerprint, parts.graph_fingerprint(commit.pipeline, commit.parse_fingerprint)


def _fetched(parts: Parts, commits: Sequence[Commit]) -> list[Outcome[Document]]:
    """Documents from where the ledger says their bytes are; one outcome per commit."""
    outcomes: list[Outcome[Document] | None] = []
    items: list[tuple[StageContext, AdapterRequest]] = []
    origins = parts.ledger.copies.origins(commits)
    for commit, origin in zip(commits, origins, strict=True):
        problem = _unreachable(parts, commit, origin)
        outcomes.append(problem)
        if problem is None and origin is not None:
            items.append((context_of(commit), _request(commit, origin)))
    read = iter(_read(parts, items))
    return [next(read) if outcome is None else outcome for outcome in outcomes]


def _read(parts: Parts, items: Sequence[tuple[StageContext, AdapterRequest]]) -> Sequence[Outcome[Document]]:
    if not items:
        return ()
    try:
        with parts.reader() as reader:
            return reader.read_again(items)
    except MedkgError as error:  # a source that is unavailable keeps none of the other steps from being done
        return [error] * len(items)


def _request(commit: Commit, origin: Origin) -> AdapterRequest:
    values: dict[str, Any] = {
        "tenant_id": commit.key.tenant_id,
        "plugin": origin.source_plugin,
        "doc_id": commit.key.doc_id,
        "locator": origin.locator,
    }
    return AdapterRequest(**values)


def _unreachable(parts: Parts, commit: Commit, origin: Origin | None) -> MedkgError | None:
    """Why a document cannot be fetched and parsed by itself; None if it can."""
    name = commit.key.doc_id
    if origin is None or not origin.locator.uri:
        return InputUnreadableError(f"{name}: the ledger does not know where it came from. Run its source.")
    if origin.source_plugin not in parts.submissions.sources:
        return InputUnreadableError(
            f"{name}: source {origin.source_plugin!r} is not installed. Install it, or run another source."
        )
    try:
        nodes = parts.topologies.load(commit.pipeline).nodes
    except MedkgError as error:
        return error
    parse = next((node for node in nodes if node.step == "parse"), None)
    if parse is None or parse.takes_from is None or not parse.takes_from.is_source:
        return InputUnreadableError(
            f"{name}: topology {commit.pipeline} makes it from more than its record. Run its source."
        )
    return None
