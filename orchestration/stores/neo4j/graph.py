"""GraphProjection on Neo4j: every write is one transaction that holds the tenant's lease.

Input: projected documents. Output: nodes and relationships as statements.py describes them. The lease, its
epoch and the watermark are properties of one node per tenant, changed in the same transactions as the
documents: so a process that lost its lease changes nothing, and the watermark never names a change that is
not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from orchestration.batching import batched
from orchestration.contracts.projection import (
    ProjectedDocument,
    ProjectionCounts,
    ProjectionLease,
    ProjectionState,
    Row,
)
from orchestration.errors import LeaseLostError, StoreCorruptError
from orchestration.records import DocumentKey
from orchestration.stores.neo4j import statements
from orchestration.stores.neo4j.connection import Connection, Transaction
from orchestration.stores.neo4j.derived import (
    Change,
    ConceptCounts,
    EdgeCounts,
    change,
    concept_row,
    counts_in,
)
from orchestration.stores.neo4j.documents import (
    claim_rows,
    document_row,
    key_rows,
    mention_rows,
    read_documents,
)

__all__ = ["FORMAT", "Neo4jGraph"]

FORMAT: Final = 1
"""Version of nodes, relationships and properties; a projection of another one is made again."""

LEASE_MILLISECONDS: Final = 60_000
"""How long a lease holds after a write, where it cannot be seen whether its holder lives."""

ROWS: Final = 1000
"""Rows of one statement."""

NODES: Final = 2000
"""Nodes that one transaction removes while a tenant is cleared."""

CONCEPTS: Final = 200
"""Concepts whose derived values one transaction compares or sets."""


class Neo4jGraph:
    """GraphProjection on one database of a Neo4j server, for one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.name = connection.name

    async def ask(self) -> str:
        """Version and edition of the server; see GraphProjection."""
        (row,) = await self._connection.run(statements.ASK)
        return f"{self.name}, {row['version']} {row['edition']}"

    async def prepare(self) -> None:
        """Create constraints and indexes; see GraphProjection."""
        for statement in statements.SCHEMA:
            await self._connection.run(statement)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    # --- state and lease ------------------------------------------------------------------------------

    async def tenants(self) -> list[str]:
        """Tenants that have a projection; see GraphProjection."""
        return [row["tenant"] for row in await self._connection.run(statements.TENANTS)]

    async def state(self, tenant_id: str) -> ProjectionState | None:
        """Where a tenant's projection stands; see GraphProjection."""
        rows = await self._connection.run(statements.STATE, tenant=tenant_id)
        return _state(rows[0]) if rows else None

    async def acquire(
        self, tenant_id: str, ledger: str, owner: str, is_alive: Callable[[str], bool]
    ) -> ProjectionLease | None:
        """Take the lease, unless another living process holds it; see GraphProjection."""
        await self._connection.run(statements.CREATE_STATE, tenant=tenant_id, ledger=ledger, format=FORMAT)
        (row,) = await self._connection.run(statements.STATE, tenant=tenant_id)
        holder = row["state"]["holder"]
        if row["held"] and holder is not None and holder != owner and is_alive(holder):
            return None
        taken = await self._connection.run(
            statements.ACQUIRE,
            tenant=tenant_id,
            epoch=row["state"]["epoch"],
            owner=owner,
            milliseconds=LEASE_MILLISECONDS,
        )
        return ProjectionLease(tenant_id, taken[0]["epoch"]) if taken else None

    async def release(self, lease: ProjectionLease) -> None:
        """Give the lease back; see GraphProjection."""
        await self._connection.run(statements.RELEASE, tenant=lease.tenant_id, epoch=lease.epoch)

    async def set_watermark(self, lease: ProjectionLease, sequence: int | None) -> None:
        """Record the last change that is there; see GraphProjection."""

        async def work(transaction: Transaction) -> None:
            await _hold(transaction, lease)
            await _set_watermark(transaction, lease.tenant_id, sequence)

        await self._connection.transaction(work)

    # --- documents ------------------------------------------------------------------------------------

    async def apply(
        self,
        lease: ProjectionLease,
        documents: Sequence[ProjectedDocument],
        removed: Sequence[DocumentKey],
        watermark: int | None = None,
    ) -> None:
        """Replace and remove documents in one transaction; see GraphProjection."""
        tenant_id = lease.tenant_id
        keys = [*(document.key for document in documents), *removed]

        async def work(transaction: Transaction) -> None:
            await _hold(transaction, lease)
            before = await read_documents(transaction, tenant_id, keys) if keys else []
            if before:
                await _take_back(transaction, tenant_id, [document.key for document in before])
            difference = change(before, documents)
            unmentioned = await _set_concepts(transaction, tenant_id, difference)
            await _create(transaction, tenant_id, documents)
            await _add_to_edges(transaction, tenant_id, difference)
            if removed:
                await transaction.run(statements.DELETE_DOCUMENTS, tenant=tenant_id, keys=key_rows(removed))
            if unmentioned:
                await transaction.run(statements.REMOVE_CONCEPTS, tenant=tenant_id, concepts=unmentioned)
            if watermark is not None:
                await _set_watermark(transaction, tenant_id, watermark)

        await self._connection.transaction(work)

    async def clear(self, lease: ProjectionLease, ledger: str) -> None:
        """Remove everything of the tenant; see GraphProjection."""
        await self._within(lease, statements.START_CLEARING)
        for statement in statements.CLEAR:
            removed = NODES
            while removed:
                (row,) = await self._within(lease, statement, limit=NODES)
                removed = row["removed"]
        await self._within(lease, statements.END_CLEARING, ledger=ledger, format=FORMAT)

    async def stamps(self, tenant_id: str, keys: Sequence[DocumentKey]) -> dict[DocumentKey, str]:
        """Stamps of documents that are there; see GraphProjection."""
        rows = await self._connection.run(statements.STAMPS, tenant=tenant_id, keys=key_rows(keys))
        return {_key(tenant_id, row): row["stamp"] for row in rows}

    async def keys(self, tenant_id: str) -> AsyncIterator[DocumentKey]:
        """Documents that are there; see GraphProjection."""
        async for row in self._connection.stream(statements.KEYS, tenant=tenant_id):
            yield _key(tenant_id, row)

    async def documents(self, tenant_id: str, keys: Sequence[DocumentKey]) -> list[ProjectedDocument]:
        """Documents as they are there; see GraphProjection."""

        async def work(transaction: Transaction) -> list[ProjectedDocument]:
            return await read_documents(transaction, tenant_id, keys)

        return await self._connection.transaction(work)

    async def counts(self, tenant_id: str) -> ProjectionCounts:
        """What is there of a tenant; see GraphProjection."""
        counts = {}
        for name, statement in statements.COUNTS.items():
            (row,) = await self._connection.run(statement, tenant=tenant_id)
            counts[name] = row["count"]
        return ProjectionCounts(**counts)

    # --- what follows from them -----------------------------------------------------------------------

    async def derived_differences(self, tenant_id: str) -> AsyncIterator[str]:
        """Concepts whose derived values are wrong; see GraphProjection."""
        batch: list[str] = []
        async for row in self._connection.stream(statements.CONCEPT_KEYS, tenant=tenant_id):
            batch.append(row["concept"])
            if len(batch) == CONCEPTS:
                for concept in await self._wrong(tenant_id, batch):
                    yield concept
                batch = []
        for concept in await self._wrong(tenant_id, batch):
            yield concept

    async def _wrong(self, tenant_id: str, concepts: Sequence[str]) -> list[str]:
        async def work(transaction: Transaction) -> list[str]:
            parameters = {"tenant": tenant_id, "concepts": list(concepts)}
            counted = await _counted(transaction, parameters)
            rows = await transaction.rows(statements.CONCEPTS, **parameters)
            noted = {row["concept"]["concept"]: row for row in rows}
            edges = {
                name: _edges(await transaction.rows(statement, **parameters))
                for name, statement in (
                    ("noted", statements.EDGES_FROM),
                    ("counted", statements.CLAIMS_FROM),
                )
            }
            return [
                concept
                for concept in concepts
                if concept in noted
                and (
                    not _follows(noted[concept], concept_row(concept, counted[concept]))
                    or edges["noted"][concept] != edges["counted"][concept]
                )
            ]

        return await self._connection.transaction(work)

    async def derive_again(self, lease: ProjectionLease, concepts: Sequence[str]) -> None:
        """Set derived values from mentions and claims; see GraphProjection."""
        for batch in batched(concepts, CONCEPTS):
            parameters = {"tenant": lease.tenant_id, "concepts": batch}

            async def work(transaction: Transaction, parameters: Mapping[str, Any] = parameters) -> None:
                await _hold(transaction, lease)
                counted = await _counted(transaction, parameters)
                claims = _edges(await transaction.rows(statements.CLAIMS_FROM, **parameters))
                await transaction.run(statements.DELETE_EDGES_FROM, **parameters)
                edges = {
                    edge: counts for of_concept in claims.values() for edge, counts in of_concept.items()
                }
                unmentioned = [
                    *await _write_concepts(transaction, lease.tenant_id, counted),
                    *(key for key in parameters["concepts"] if key not in counted),
                ]
                await _add_to_edges(transaction, lease.tenant_id, Change({}, edges))
                await transaction.run(
                    statements.REMOVE_CONCEPTS, tenant=lease.tenant_id, concepts=unmentioned
                )

            await self._connection.transaction(work)

    async def _within(self, lease: ProjectionLease, statement: str, **parameters: Any) -> list[Row]:
        """Run one statement in a transaction that holds the lease; its rows."""

        async def work(transaction: Transaction) -> list[Row]:
            await _hold(transaction, lease)
            return await transaction.rows(statement, tenant=lease.tenant_id, **parameters)

        return await self._connection.transaction(work)


# --- parts of a transaction -----------------------------------------------------------------------------


async def _hold(transaction: Transaction, lease: ProjectionLease) -> None:
    """Lock the tenant's projection until the transaction ends; LeaseLostError if another process has it."""
    rows = await transaction.rows(
        statements.HOLD, tenant=lease.tenant_id, epoch=lease.epoch, milliseconds=LEASE_MILLISECONDS
    )
    if not rows:
        raise LeaseLostError(
            f"another process projects the graph of tenant {lease.tenant_id} now. Nothing is lost: it goes "
            "on from where this one was."
        )


async def _set_watermark(transaction: Transaction, tenant_id: str, sequence: int | None) -> None:
    await transaction.run(statements.SET_WATERMARK, tenant=tenant_id, sequence=sequence)


async def _take_back(transaction: Transaction, tenant_id: str, keys: Sequence[DocumentKey]) -> None:
    """Remove claims and mentions of documents; their nodes stay."""
    parameters = {"tenant": tenant_id, "keys": key_rows(keys)}
    await transaction.run(statements.DELETE_CLAIMS, **parameters)
    await transaction.run(statements.DELETE_MENTIONS, **parameters)


async def _create(transaction: Transaction, tenant_id: str, documents: Sequence[ProjectedDocument]) -> None:
    """Write documents with their mentions and claims, whose concepts are there."""
    mentions = [row for document in documents for row in mention_rows(document)]
    claims = [row for document in documents for row in claim_rows(document)]
    for statement, rows in (
        (statements.SET_DOCUMENTS, list(map(document_row, documents))),
        (statements.CREATE_MENTIONS, mentions),
        (statements.CREATE_CLAIMS, claims),
    ):
        for batch in batched(rows, ROWS):
            (written,) = await transaction.rows(statement, tenant=tenant_id, rows=batch)
            if written["rows"] != len(batch):
                raise StoreCorruptError(
                    f"Neo4j wrote {written['rows']} of {len(batch)} rows of tenant {tenant_id}: nodes of the "
                    "projection are not there. `medkg graph project --rebuild` makes it again."
                )


async def _set_concepts(transaction: Transaction, tenant_id: str, difference: Change) -> list[str]:
    """Add to the counts of concepts; returns those that have no mention any more."""
    unmentioned: list[str] = []
    for batch in batched(sorted(difference.concepts), ROWS):
        rows = await transaction.rows(statements.CONCEPTS, tenant=tenant_id, concepts=batch)
        counts = {row["concept"]["concept"]: counts_in(row["concept"]) for row in rows}
        for concept in batch:
            counts.setdefault(concept, ConceptCounts()).add(difference.concepts[concept])
        previous = {row["concept"]["concept"]: row["concept"]["kind"] for row in rows}
        unmentioned += await _write_concepts(transaction, tenant_id, counts, previous)
    return unmentioned


async def _write_concepts(
    transaction: Transaction,
    tenant_id: str,
    counts: Mapping[str, ConceptCounts],
    previous: Mapping[str, str] | None = None,
) -> list[str]:
    """Set the properties and labels of concepts; returns those without mentions, which stay as they are."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    unmentioned: list[str] = []
    left: dict[str, list[str]] = defaultdict(list)
    if previous is None:
        rows = await transaction.rows(statements.CONCEPTS, tenant=tenant_id, concepts=list(counts))
        previous = {row["concept"]["concept"]: row["concept"]["kind"] for row in rows}
    for concept, of_concept in counts.items():
        row = concept_row(concept, of_concept)
        if row is None:
            unmentioned.append(concept)
            continue
        by_kind[row["kind"]].append(row)
        if previous.get(concept, row["kind"]) != row["kind"]:
            left[previous[concept]].append(concept)
    for kind, concepts in left.items():
        await transaction.run(statements.leave_kind(kind), tenant=tenant_id, concepts=concepts)
    for kind, kind_rows in by_kind.items():
        await transaction.run(statements.set_concepts(kind), tenant=tenant_id, rows=kind_rows)
    return unmentioned


async def _add_to_edges(transaction: Transaction, tenant_id: str, difference: Change) -> None:
    by_predicate: dict[str, list[Row]] = defaultdict(list)
    for (subject, predicate, object_), counts in difference.edges.items():
        by_predicate[predicate].append(
            {
                "subject": subject,
                "object": object_,
                "claims": counts.claims,
                "negated": counts.negated,
                "documents": counts.documents,
            }
        )
    for predicate, rows in by_predicate.items():
        statement = statements.add_to_edges(predicate)
        for batch in batched(rows, ROWS):
            await transaction.run(statement, tenant=tenant_id, rows=batch)


async def _counted(transaction: Transaction, parameters: Mapping[str, Any]) -> dict[str, ConceptCounts]:
    """Counts of concepts, from the mentions that are there."""
    counts: dict[str, ConceptCounts] = defaultdict(ConceptCounts)
    for row in await transaction.rows(statements.MENTIONS_FROM, **parameters):
        counts[row["concept"]].names[row["name"]] += row["mentions"]
        counts[row["concept"]].kinds[row["kind"]] += row["mentions"]
    for row in await transaction.rows(statements.DOCUMENTS_FROM, **parameters):
        counts[row["concept"]].documents = row["documents"]
    return counts


def _follows(noted: Mapping[str, Any], row: Row | None) -> bool:
    """Whether a concept is as its mentions make it."""
    if row is None:
        return False
    values = noted["concept"]
    return statements.kind_label(row["kind"]) in noted["labels"] and all(
        values.get(name) == value for name, value in row.items()
    )


def _edges(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[tuple[str, str, str], EdgeCounts]]:
    """Edges by subject."""
    edges: dict[str, dict[tuple[str, str, str], EdgeCounts]] = defaultdict(dict)
    for row in rows:
        edge = (row["subject"], row["predicate"], row["object"])
        edges[row["subject"]][edge] = EdgeCounts(row["claims"], row["negated"], row["documents"])
    return edges


def _state(row: Mapping[str, Any]) -> ProjectionState:
    state = row["state"]
    return ProjectionState(
        ledger=state["ledger"],
        format=state["format"],
        watermark=state["watermark"],
        clearing=state["clearing"],
        projected_at=state["projected_at"],
        holder=state["holder"] if row["held"] else None,
    )


def _key(tenant_id: str, row: Mapping[str, Any]) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=row["source"], doc_id=row["doc_id"])
