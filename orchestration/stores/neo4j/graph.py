"""GraphProjection on Neo4j: every write is one transaction that holds the tenant's lease.

Input: projected documents. Output: nodes and relationships as statements.py describes them. The lease, its
epoch and the watermark are properties of one node per tenant, changed in the same transactions as the
documents: so a process that lost its lease changes nothing, and the watermark never names a change that is
not there.
"""

from __future__ import annotations

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
from orchestration.records import DocumentKey
from orchestration.stores.neo4j import statements
from orchestration.stores.neo4j.connection import Connection, Transaction
from orchestration.stores.neo4j.derived import (
    Change,
    change,
    concept_row,
)
from orchestration.stores.neo4j.documents import (
    key_rows,
    read_documents,
)
from orchestration.stores.neo4j.writing import (
    LEASE_MILLISECONDS,
    add_to_edges,
    count_mentions,
    create,
    edges_of,
    follows,
    hold,
    set_concepts,
    set_watermark,
    take_back,
    write_concepts,
)

__all__ = ["FORMAT", "Neo4jGraph"]

FORMAT: Final = 1
"""Version of nodes, relationships and properties; a projection of another one is made again."""

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
            await hold(transaction, lease)
            await set_watermark(transaction, lease.tenant_id, sequence)

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
            await hold(transaction, lease)
            before = await read_documents(transaction, tenant_id, keys) if keys else []
            if before:
                await take_back(transaction, tenant_id, [document.key for document in before])
            difference = change(before, documents)
            unmentioned = await set_concepts(transaction, tenant_id, difference)
            await create(transaction, tenant_id, documents)
            await add_to_edges(transaction, tenant_id, difference)
            if removed:
                await transaction.run(statements.DELETE_DOCUMENTS, tenant=tenant_id, keys=key_rows(removed))
            if unmentioned:
                await transaction.run(statements.REMOVE_CONCEPTS, tenant=tenant_id, concepts=unmentioned)
            if watermark is not None:
                await set_watermark(transaction, tenant_id, watermark)

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
            counted = await count_mentions(transaction, parameters)
            rows = await transaction.rows(statements.CONCEPTS, **parameters)
            noted = {row["concept"]["concept"]: row for row in rows}
            edges = {
                name: edges_of(await transaction.rows(statement, **parameters))
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
                    not follows(noted[concept], concept_row(concept, counted[concept]))
                    or edges["noted"][concept] != edges["counted"][concept]
                )
            ]

        return await self._connection.transaction(work)

    async def derive_again(self, lease: ProjectionLease, concepts: Sequence[str]) -> None:
        """Set derived values from mentions and claims; see GraphProjection."""
        for batch in batched(concepts, CONCEPTS):
            parameters = {"tenant": lease.tenant_id, "concepts": batch}

            async def work(transaction: Transaction, parameters: Mapping[str, Any] = parameters) -> None:
                await hold(transaction, lease)
                counted = await count_mentions(transaction, parameters)
                claims = edges_of(await transaction.rows(statements.CLAIMS_FROM, **parameters))
                await transaction.run(statements.DELETE_EDGES_FROM, **parameters)
                edges = {
                    edge: counts for of_concept in claims.values() for edge, counts in of_concept.items()
                }
                unmentioned = [
                    *await write_concepts(transaction, lease.tenant_id, counted),
                    *(key for key in parameters["concepts"] if key not in counted),
                ]
                await add_to_edges(transaction, lease.tenant_id, Change({}, edges))
                await transaction.run(
                    statements.REMOVE_CONCEPTS, tenant=lease.tenant_id, concepts=unmentioned
                )

            await self._connection.transaction(work)

    async def _within(self, lease: ProjectionLease, statement: str, **parameters: Any) -> list[Row]:
        """Run one statement in a transaction that holds the lease; its rows."""

        async def work(transaction: Transaction) -> list[Row]:
            await hold(transaction, lease)
            return await transaction.rows(statement, tenant=lease.tenant_id, **parameters)

        return await self._connection.transaction(work)


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
