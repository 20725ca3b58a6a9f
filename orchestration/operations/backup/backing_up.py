"""A backup: every table of the ledger at one moment, what every tenant's stores hold of it, and vocabularies.

Writers may go on. The ledger is copied first, then the documents it says are visible. Those that a newer
version took the place of before they were read are looked up in a newer copy of the ledger, and so on: the
last copy counts, and all of its documents are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Commit, LedgerTable
from orchestration.ledger.database import HEAD
from orchestration.operations.backup.columns import Copied
from orchestration.operations.backup.exporting import Observe, shaping_settings
from orchestration.operations.backup.folder import CopyFolder, Manifest, TenantCopy
from orchestration.operations.backup.reading import StoredDocuments, by_intent, damaged
from orchestration.operations.backup.table_writer import TenantFiles
from orchestration.operations.backup.vocabularies import write_vocabularies
from orchestration.operations.parts import Parts
from orchestration.records import DocumentKey

__all__ = ["back_up", "committed_in", "ledger_tables"]

ROWS_AT_ONCE: Final = 1_000

ARROW: Final = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}

Held = dict[str, set[tuple[DocumentKey, str, str | None]]]
"""Documents of a tenant, with their model, that are in the copy, by intent."""


def back_up(parts: Parts, folder: Path, observe: Observe) -> Manifest:
    """Write everything into an empty or new folder. Writers may go on meanwhile.

    Raises UsageError for a folder in use, StoreCorruptError for a document that is not whole, and
    StoreUnwritableError; the folder then has no manifest and counts for nothing.
    """
    copy = CopyFolder(folder, "medkg-backup")
    stored = StoredDocuments(parts, with_graph=False)
    held: dict[str, Held] = {}
    counts: dict[str, TenantCopy] = {}
    missing: list[Commit] | None = None
    while missing is None or missing:
        _copy_ledger(parts, copy)
        commits = committed_in(folder)
        for commit in missing or ():
            if commit in commits.get(commit.key.tenant_id, ()):
                raise damaged(commit)
        missing = []
        for tenant_id, visible in commits.items():
            due = _due(visible, held.setdefault(tenant_id, {}))
            if due or tenant_id not in counts:
                part = counts[tenant_id].parts + 1 if tenant_id in counts else 1
                with TenantFiles(copy, f"tenants/{tenant_id}", part) as files:
                    missing += _copy_documents(stored, due, files, held[tenant_id], observe)
                counts[tenant_id] = _sum(counts.get(tenant_id), files.counts)
    write_vocabularies(copy, parts.vocabularies)
    return copy.finish(shaping_settings(parts), HEAD, counts, parts.vocabularies.shape())


def _due(visible: Sequence[Commit], held: Held) -> dict[str, list[list[Commit]]]:
    """Intents of which a visible document is not in the copy yet; they are read whole."""
    return {
        intent_id: groups
        for intent_id, groups in by_intent(visible).items()
        if not {_held_as(commit) for group in groups for commit in group} <= held.get(intent_id, set())
    }


def _copy_documents(
    stored: StoredDocuments,
    due: Mapping[str, Sequence[Sequence[Commit]]],
    files: TenantFiles,
    held: Held,
    observe: Observe,
) -> list[Commit]:
    """Copy these intents' documents; the commits of those that could not be read."""
    missing: list[Commit] = []
    total = sum(len(group) for groups in due.values() for group in groups)
    for intent_id, groups in due.items():
        in_copy = held[intent_id] = set()
        for commit in (commit for group in groups for commit in group):
            in_copy.add(_held_as(commit))
        for result in (result for group in groups for result in stored.read(group)):
            if isinstance(result, Copied):
                files.add(result)
            else:
                missing.append(result)
                in_copy.discard(_held_as(result))
        observe(files.documents, total)
    return missing


def _held_as(commit: Commit) -> tuple[DocumentKey, str, str | None]:
    return commit.key, commit.namespace, commit.graph_intent_id


def _sum(before: TenantCopy | None, part: TenantCopy) -> TenantCopy:
    if before is None:
        return part
    return TenantCopy(
        documents=before.documents + part.documents,
        chunks=before.chunks + part.chunks,
        dense_models=tuple(sorted({*before.dense_models, *part.dense_models})),
        sparse_models=tuple(sorted({*before.sparse_models, *part.sparse_models})),
        parts=part.parts,
    )


# --- the ledger -------------------------------------------------------------------------------------


def _copy_ledger(parts: Parts, copy: CopyFolder) -> None:
    with parts.ledger.copies.export_tables() as tables:
        for table in tables:
            schema = pa.schema([(name, ARROW[kind]) for name, kind in table.columns.items()])
            with (
                copy.file(f"ledger/{table.name}.parquet") as (path, rows),
                pq.ParquetWriter(path, schema, compression="zstd") as writer,
            ):
                for batch in table.rows:
                    writer.write_table(pa.Table.from_pylist([dict(row) for row in batch], schema))
                    rows.append(len(batch))


def ledger_tables(folder: Path) -> dict[str, LedgerTable]:
    """The ledger's tables by name as a backup has them, read when they are asked for."""
    kinds = {kind: python for python, kind in ARROW.items()}
    tables = {}
    for path in sorted((folder / "ledger").glob("*.parquet")):
        columns = {field.name: kinds[field.type] for field in pq.read_schema(path)}
        tables[path.stem] = LedgerTable(path.stem, columns, _batches(path))
    return tables


def committed_in(folder: Path) -> dict[str, list[Commit]]:
    """Visible documents by tenant as a backup's ledger has them, in the order in which they became so."""
    order = _table(folder, "commit_changes")
    place = {_key(row): number for number, row in enumerate(order)}
    commits: dict[str, list[Commit]] = {}
    for row in _table(folder, "commits"):
        values = {name: value for name, value in row.items() if name in Commit.model_fields}
        commits.setdefault(row["tenant_id"], []).append(Commit(key=_key(row), **values))
    for of_tenant in commits.values():
        of_tenant.sort(key=lambda commit: place.get(commit.key, len(place)))
    return commits


def _table(folder: Path, name: str) -> Iterator[Mapping[str, Any]]:
    return (row for rows in _batches(folder / "ledger" / f"{name}.parquet") for row in rows)


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield batch.to_pylist()


def _key(row: Mapping[str, Any]) -> DocumentKey:
    return DocumentKey(tenant_id=row["tenant_id"], source=row["source"], doc_id=row["doc_id"])
