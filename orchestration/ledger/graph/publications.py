"""Documents that are records of one publication: those that share its DOI, PMID, PMCID or OpenAlex id.

Input: a tenant's visible documents. Output: for each the document that stands for its publication. Computed
when it is read, from the identifiers that the documents state: with a document that is deleted or corrected
goes its effect.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select

from orchestration.contracts.identifiers import PUBLICATION_KINDS
from orchestration.ledger.graph.tables import graph_documents, graph_identifiers
from orchestration.ledger.graph.visible import visible_claims
from orchestration.ledger.rows import batches, has_key, key_of
from orchestration.records import DocumentKey

__all__ = ["count_publications", "publications_of"]


def publications_of(connection: Connection, keys: Collection[DocumentKey]) -> dict[DocumentKey, DocumentKey]:
    """The first document, by source and id, of the publication of each visible document of these keys.

    Documents of one publication share an identifier, directly or through other visible documents.
    """
    documents: dict[int, DocumentKey] = {}
    for batch in batches(sorted(keys, key=_place)):
        query = select(graph_documents).where(has_key(graph_documents, batch), graph_documents.c.visible)
        documents |= {row["number"]: key_of(row) for row in connection.execute(query).mappings()}
    numbers = set(documents)
    groups = _Groups(documents)
    for tenant_id in sorted({key.tenant_id for key in keys}):
        _join(connection, tenant_id, groups)
    return {groups.keys[number]: groups.first(number) for number in numbers}


def count_publications(connection: Connection, tenant_id: str, numbers: Collection[int]) -> int:
    """The number of publications whose records these visible documents of a tenant are."""
    groups = _Groups(_keys(connection, tenant_id, numbers))
    _join(connection, tenant_id, groups)
    return len({groups.first(number) for number in numbers})


class _Groups:
    """Documents by number, and which of them are one publication."""

    def __init__(self, keys: dict[int, DocumentKey]) -> None:
        self.keys = keys
        self._parent: dict[int, int] = {}

    def root(self, number: int) -> int:
        while self._parent.setdefault(number, number) != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, numbers: Iterable[int]) -> None:
        """Make them one publication, under the document that is first by source and id."""
        roots = sorted({self.root(number) for number in numbers}, key=lambda each: _place(self.keys[each]))
        for other in roots[1:]:
            self._parent[other] = roots[0]

    def first(self, number: int) -> DocumentKey:
        return self.keys[self.root(number)]


def _join(connection: Connection, tenant_id: str, groups: _Groups) -> None:
    """Join the documents with those that share identifiers with them, and so on."""
    new = {number for number, key in groups.keys.items() if key.tenant_id == tenant_id}
    looked_up: set[str] = set()
    while new:
        identifiers = _identifiers(connection, new) - looked_up
        looked_up |= identifiers
        sharing = _sharing(connection, tenant_id, identifiers)
        new = {number for numbers in sharing.values() for number in numbers} - groups.keys.keys()
        groups.keys |= _keys(connection, tenant_id, new)
        for numbers in sharing.values():
            groups.join(numbers)


def _identifiers(connection: Connection, numbers: Collection[int]) -> set[str]:
    """Identifiers of publications that these documents have."""
    identifiers: set[str] = set()
    for batch in batches(sorted(numbers)):
        query = select(graph_identifiers.c.identifier).where(graph_identifiers.c.document_number.in_(batch))
        identifiers |= {
            each
            for each in connection.execute(query).scalars()
            if each.partition(":")[0] in PUBLICATION_KINDS
        }
    return identifiers


def _sharing(connection: Connection, tenant_id: str, identifiers: Collection[str]) -> dict[str, set[int]]:
    """Visible documents by identifier."""
    sharing: dict[str, set[int]] = defaultdict(set)
    for batch in batches(sorted(identifiers)):
        query = (
            select(graph_identifiers.c.identifier, graph_identifiers.c.document_number)
            .join(graph_documents, graph_documents.c.number == graph_identifiers.c.document_number)
            .where(
                graph_identifiers.c.identifier.in_(batch),
                *visible_claims(tenant_id),
            )
        )
        for identifier, number in connection.execute(query):
            sharing[identifier].add(number)
    return sharing


def _keys(connection: Connection, tenant_id: str, numbers: Collection[int]) -> dict[int, DocumentKey]:
    keys: dict[int, DocumentKey] = {}
    for batch in batches(sorted(numbers)):
        query = select(graph_documents).where(
            graph_documents.c.number.in_(batch), graph_documents.c.tenant_id == tenant_id
        )
        keys |= {row["number"]: key_of(row) for row in connection.execute(query).mappings()}
    return keys


def _place(key: DocumentKey) -> tuple[str, str, str]:
    return key.tenant_id, key.source, key.doc_id
