"""A ledger with the graph of small documents, and a projector over it.

A document is a list of statements, each `subject predicate object` with kinds: "Drug:aspirin treats
Condition:headache". Its text is these names, so every mention has its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio

from medkg.testing.builders import a_document
from orchestration.contracts import Commit, DocumentFacts
from orchestration.extraction.findings import Findings
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.projection.comparison import differences
from orchestration.projection.documents import digest
from orchestration.projection.projector import Observe, Pass, Projector
from orchestration.records import Document, DocumentKey, Entity, Span
from orchestration.stores.neo4j.connection import Connection
from orchestration.stores.neo4j.graph import FORMAT, Neo4jGraph

T = TypeVar("T")

SOURCE = "files"


class GraphLedger:
    """Documents of one tenant in a ledger, without an index."""

    def __init__(self, place: Path | str, tenant_id: str) -> None:
        """`place`: a folder of a SQLite ledger, or a URL."""
        url = place if isinstance(place, str) else f"sqlite:///{place / 'ledger.sqlite'}"
        self.ledger: SqlLedger = open_ledger(url)
        self.tenant_id = tenant_id

    def key(self, doc_id: str) -> DocumentKey:
        return DocumentKey(tenant_id=self.tenant_id, source=SOURCE, doc_id=doc_id)

    def ingest(self, version: str = "1", /, **statements: Sequence[str]) -> None:
        """Commit documents; what they superseded is removed."""
        for doc_id, lines in statements.items():
            self.commit(doc_id, lines, version)

    def commit(
        self, doc_id: str, lines: Sequence[str], version: str = "1", facts: DocumentFacts | None = None
    ) -> None:
        intent = self.ledger.commits.open_intent(self.tenant_id, own_identity(), [self.key(doc_id)])
        document, extraction = _extracted(self.tenant_id, doc_id, lines, version)
        known = {} if facts is None else {self.key(doc_id): facts}
        self.ledger.graph.write(intent.intent_id, [(self.key(doc_id), extraction)], known)
        commit = Commit(
            key=self.key(doc_id),
            version=document.version,
            fingerprint="f" * 64,
            pipeline="auto",
            intent_id=str(uuid4()),
            chunk_count=0,
            namespace="none",
            graph_intent_id=intent.intent_id,
            entity_count=len(extraction[0]),
            claim_count=len(extraction[1]),
        )
        for superseded in self.ledger.commits.commit([commit]):
            if superseded.graph_intent_id is not None:
                self.ledger.graph.discard(self.tenant_id, superseded.graph_intent_id, [superseded.key])

    def delete(self, *doc_ids: str) -> None:
        """Make documents invisible, and remove their rows."""
        for withdrawn in self.ledger.documents.delete([self.key(doc_id) for doc_id in doc_ids]):
            if withdrawn.graph_intent_id is not None:
                self.ledger.graph.discard(self.tenant_id, withdrawn.graph_intent_id, [withdrawn.key])

    def erase(self, *doc_ids: str) -> None:
        """Remove every row about documents, as an erasure does in the end."""
        self.ledger.documents.erase([self.key(doc_id) for doc_id in doc_ids])

    def projector(self, target: Neo4jGraph, observe: Observe = lambda _: None) -> Projector:
        return Projector(self.ledger.graph_feed, target, FORMAT, call_once, own_identity(), is_alive, observe)

    def project(self, url: str, *, rebuild: bool = False) -> Pass | None:
        """One pass over the tenant."""

        async def work(target: Neo4jGraph) -> Pass | None:
            return await self.projector(target).catch_up(self.tenant_id, rebuild=rebuild)

        return with_target(url, work)


def contents(url: str, tenant_id: str) -> dict[str, object]:
    """Everything that the projection of a tenant holds, in a fixed order."""

    async def work(target: Neo4jGraph) -> dict[str, object]:
        keys = [key async for key in target.keys(tenant_id)]
        documents = await target.documents(tenant_id, keys)
        wrong = [concept async for concept in target.derived_differences(tenant_id)]
        return {
            "documents": sorted((each.key.doc_id, each.stamp, digest(each)) for each in documents),
            "counts": (await target.counts(tenant_id)).model_dump(),
            "wrong": wrong,
        }

    return with_target(url, work)


def found(graph: GraphLedger, url: str) -> list[tuple[str, str]]:
    """Documents or concepts that differ, and how."""

    async def work(target: Neo4jGraph) -> list[tuple[str, str]]:
        feed = graph.ledger.graph_feed
        return [(each.key.doc_id, each.kind) for each in await differences(feed, target, graph.tenant_id)]

    return with_target(url, work)


def repaired(graph: GraphLedger, url: str) -> Pass | None:
    """What a repair did."""

    async def work(target: Neo4jGraph) -> Pass | None:
        return await graph.projector(target).repair(graph.tenant_id)

    return with_target(url, work)


async def call_once(action: Callable[[], Awaitable[T]]) -> T:
    """A call without a policy."""
    return await action()


def with_target(url: str, work: Callable[[Neo4jGraph], Awaitable[T]]) -> T:
    """What `work` returns of a projection on the server."""

    async def run() -> T:
        target = Neo4jGraph(Connection(url))
        try:
            return await work(target)
        finally:
            await target.close()

    return anyio.run(run)


def _extracted(tenant_id: str, doc_id: str, lines: Sequence[str], version: str):  # type: ignore[no-untyped-def]
    text = "\n".join(lines) + "\n"
    document: Document = a_document(
        doc_id, tenant_id=tenant_id, version=version * 64, title=doc_id
    ).model_copy(update={"text": text, "sections": (), "source": SOURCE})
    findings = Findings(document, "toy/1")
    start = 0
    for line in lines:
        words = line.split(" ")
        subject, predicate, object_ = words[0], words[1], words[-1]
        ends = [
            _mention(findings, subject, start),
            _mention(findings, object_, start + len(line) - len(object_)),
        ]
        evidence = Span(start_char=start, end_char=start + len(line))
        findings.claim(ends[0], predicate, ends[1], [evidence], negated="not" in words)
        start += len(line) + 1
    return document, findings.extraction()


def _mention(findings: Findings, word: str, start: int) -> Entity:
    """`Kind:name`, or `Kind:name=KEY` for a concept of a vocabulary."""
    kind, _, rest = word.partition(":")
    name, _, concept = rest.partition("=")
    place = start + len(kind) + 1
    return findings.mention(kind, Span(start_char=place, end_char=place + len(name)), concept=concept or None)
