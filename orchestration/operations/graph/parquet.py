"""Parquet: concepts, documents, claims and their evidence as four tables.

Input: nodes, documents and edges. Output: nodes.parquet, documents.parquet, edges.parquet, evidence.parquet,
whose columns say in their metadata what they hold. Rows are written in groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import SnapshotDocument
from orchestration.operations.graph.exporting import Edge, Node, Sink
from orchestration.operations.graph.iris import scalar_text

__all__ = ["Parquet"]

ROWS_AT_ONCE: Final = 10_000
"""Rows of a group, so what is in memory."""

COMPRESSION: Final = "zstd"
_TEXTS: Final = pa.list_(pa.string())
_QUALIFIERS: Final = pa.list_(pa.struct([("kind", pa.string()), ("value", pa.string())]))

Columns = Sequence[tuple[str, pa.DataType, str]]

COLUMNS: Final[Mapping[str, Columns]] = {
    "nodes.parquet": (
        ("id", pa.string(), "key of the concept; what aliases merge has one"),
        ("name", pa.string(), "most frequent name"),
        ("kind", pa.string(), "most frequent kind, of graph.yaml"),
        ("category", pa.string(), "class of the Biolink model"),
        ("keys", _TEXTS, "all keys that aliases merge, the canonical one first"),
        ("names", _TEXTS, "all names, the most frequent first"),
        ("identifiers", _TEXTS, "further identifiers"),
        ("documents", pa.int64(), "documents with a mention"),
        ("mentions", pa.int64(), "mentions"),
        ("retracted", pa.bool_(), "all of its documents are retracted"),
    ),
    "documents.parquet": (
        ("source", pa.string(), "where the document comes from"),
        ("doc_id", pa.string(), "the source's id"),
        ("version", pa.string(), "content hash"),
        ("title", pa.string(), "title; null: unknown"),
        ("year", pa.int32(), "of publication, or in which the trial started"),
        ("study_type", pa.string(), "type of study or publication"),
        ("retracted", pa.bool_(), "its record, or a notice, retracts it"),
    ),
    "edges.parquet": (
        ("id", pa.string(), "id of the claim"),
        ("subject", pa.string(), "key in nodes.parquet"),
        ("predicate", pa.string(), "of graph.yaml"),
        ("biolink_predicate", pa.string(), "slot of the Biolink model"),
        ("object", pa.string(), "key in nodes.parquet"),
        ("original_subject", pa.string(), "key before aliases"),
        ("original_object", pa.string(), "key before aliases"),
        ("negated", pa.bool_(), "the document denies it"),
        ("direction", pa.string(), "increased, decreased, unchanged"),
        ("qualifiers", _QUALIFIERS, "what limits or measures it"),
        ("confidence", pa.float64(), "of the extractor"),
        ("knowledge_level", pa.string(), "of Biolink"),
        ("agent_type", pa.string(), "of Biolink"),
        ("extraction", pa.string(), "extractor, version and models"),
        ("source", pa.string(), "source of the document"),
        ("doc_id", pa.string(), "document that states it"),
        ("version", pa.string(), "content hash of the document"),
        ("retracted", pa.bool_(), "the document is retracted"),
    ),
    "evidence.parquet": (
        ("claim_id", pa.string(), "id in edges.parquet"),
        ("source", pa.string(), "source of the document"),
        ("doc_id", pa.string(), "document that states it"),
        ("ordinal", pa.int32(), "position among the evidence of the claim, from 0"),
        ("start_char", pa.int64(), "first character in the document's text"),
        ("end_char", pa.int64(), "one past the last character"),
        ("exact", pa.string(), "the quote; null: the text is lost"),
        ("prefix", pa.string(), "text before it"),
        ("suffix", pa.string(), "text behind it"),
        ("block_id", pa.string(), "block of the document"),
        ("page_no", pa.int32(), "1-based page, where pages exist"),
        ("section", pa.string(), "role of its section"),
    ),
}


def schema(name: str) -> pa.Schema:
    """Columns of a table with what they hold."""
    return pa.schema(
        [
            pa.field(column, kind, metadata={"description": description})
            for column, kind, description in COLUMNS[name]
        ]
    )


class Parquet:
    """ExportFormat of Parquet."""

    files: Sequence[str] = tuple(COLUMNS)

    @contextmanager
    def open(self, paths: Mapping[str, Path]) -> Iterator[Sink]:
        """Write the four tables; see ExportFormat."""
        with ExitStack() as stack:
            tables = {
                name: _Table(
                    stack.enter_context(pq.ParquetWriter(paths[name], schema(name), compression=COMPRESSION)),
                    schema(name),
                )
                for name in COLUMNS
            }
            yield _ParquetSink(tables)
            for table in tables.values():
                table.flush()


class _Table:
    def __init__(self, writer: pq.ParquetWriter, columns: pa.Schema) -> None:
        self._writer = writer
        self._columns = columns
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row up; rows are written in groups."""
        self._rows.append({name: _storable(value) for name, value in row.items()})
        if len(self._rows) == ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the rows taken up."""
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._columns))
            self._rows = []


class _ParquetSink:
    def __init__(self, tables: Mapping[str, _Table]) -> None:
        self._tables = tables

    def node(self, node: Node) -> None:
        concept = node.node.concept
        self._tables["nodes.parquet"].add(
            {
                "id": concept.concept,
                "name": concept.name,
                "kind": concept.kind,
                "category": node.category,
                "keys": list(node.node.keys),
                "names": list(node.node.names),
                "identifiers": list(node.node.identifiers),
                "documents": concept.documents,
                "mentions": concept.mentions,
                "retracted": concept.retracted,
            }
        )

    def document(self, document: SnapshotDocument) -> None:
        self._tables["documents.parquet"].add(
            {
                **_place(document),
                "version": document.version,
                "title": document.title,
                "year": document.year,
                "study_type": document.study_type,
                "retracted": document.retracted,
            }
        )

    def edge(self, edge: Edge) -> None:
        claim, document = edge.claim, edge.document
        fields = (
            "predicate",
            "negated",
            "direction",
            "confidence",
            "knowledge_level",
            "agent_type",
            "extraction",
        )
        self._tables["edges.parquet"].add(
            {
                "id": claim.claim_id,
                "subject": edge.subject,
                "object": edge.object,
                "biolink_predicate": edge.biolink_predicate,
                "original_subject": edge.original_subject,
                "original_object": edge.original_object,
                "qualifiers": [
                    {"kind": each.kind, "value": scalar_text(each.value)} for each in claim.qualifiers
                ],
                **{name: getattr(claim, name) for name in fields},
                **_place(document),
                "version": document.version,
                "retracted": document.retracted,
            }
        )
        names = ("start_char", "end_char", "exact", "prefix", "suffix", "block_id", "page_no", "section")
        for ordinal, quote in enumerate(edge.quotes):
            row = {"claim_id": claim.claim_id, "ordinal": ordinal, **_place(document)}
            self._tables["evidence.parquet"].add({**row, **{name: quote[name] for name in names}})


def _place(document: SnapshotDocument) -> dict[str, str]:
    return {"source": document.key.source, "doc_id": document.key.doc_id}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return scalar_text(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [scalar_text(each) for each in value]
    return value
