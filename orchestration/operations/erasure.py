"""Right to erasure: removes a document from every store, segment, artifact, dead letter and log.

Comes in: the parts of a data folder and ledger rows. Leaves: files that hold no byte of the document. A plain
delete makes it invisible and removes its rows; an erasure also rewrites what databases and indexes keep of
removed rows, and removes the document's ledger rows. These go last, so an interrupted erasure can be
repeated. Not erased: the source's own files, earlier backups and exports, logs of a database server.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence

from orchestration.contracts import LedgerDocument
from orchestration.contracts.objects import RUN_OUTPUT
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.parts import Parts
from orchestration.operations.reembedding import exclusive
from orchestration.records import DocumentKey
from orchestration.runs.artifacts import remove_artifacts_of, remove_landed_of
from orchestration.runs.gate_payloads import GatePayloads
from orchestration.stores.deletion import delete_documents

__all__ = ["erase"]


def erase(parts: Parts, rows: Sequence[LedgerDocument], notify: Callable[[str], None]) -> list[DocumentKey]:
    """Erase the documents of these ledger rows; returns their keys. Idempotent.

    Takes as long as rewriting all data of the tenant. Raises UsageError while a run works on one of them or
    a re-embedding runs, StoreCorruptError if a damaged segment may hold one, and the error of a graph server
    that does not answer: then the document is deleted, and to be erased again.
    """
    with exclusive(parts.settings):
        return _erase(parts, rows, notify)


def _erase(parts: Parts, rows: Sequence[LedgerDocument], notify: Callable[[str], None]) -> list[DocumentKey]:
    running = sorted({row.key.doc_id for row in rows if row.status == "running"})
    if running:
        raise UsageError(
            f"a run works on {', '.join(running)}. Erase it when the run has ended (`medkg status`), or stop "
            "the run first (`medkg down`)."
        )
    keys = sorted({row.key for row in rows}, key=lambda key: (key.source, key.doc_id))
    tenant_id = parts.settings.tenant
    delete_documents(parts.ledger.documents, parts.index, parts.stores.documents, keys)
    _discard_every_intent(parts, tenant_id, keys)
    if parts.projection is not None:
        notify("projecting the deletion to the graph server")
        parts.projection.project(tenant_id)
    removed = remove_artifacts_of(parts.objects, keys)
    GatePayloads(parts.objects).leave_out(keys)
    _delete_pdfs(parts, keys)
    if removed:
        notify(
            f"{removed} artifacts of runs held it and were deleted; those runs can be launched again only "
            "from their start"
        )
    remove_landed_of(parts.objects, keys)
    _blank_ids_in_logs(parts, keys)
    notify("rewriting search index, vectors, documents and ledger without it")
    parts.stores.search.expunge(tenant_id)
    parts.stores.vectors.expunge(tenant_id)
    parts.stores.documents.expunge()
    parts.ledger.documents.erase(keys)
    parts.ledger.documents.expunge()
    return keys


def _delete_pdfs(parts: Parts, keys: Sequence[DocumentKey]) -> None:
    """Delete the PDFs of these documents with their conversions, unless another document shares them."""
    for key in parts.ledger.pdf_tasks.objects_of(keys):
        folder, _, _ = key.rpartition("/")
        parts.objects.delete_all(folder)
    shutil.rmtree(parts.settings.downloads_dir, ignore_errors=True)  # partial files of failed downloads


def _discard_every_intent(parts: Parts, tenant_id: str, keys: Sequence[DocumentKey]) -> None:
    """Discard the entries of all intents that wrote one of them, also of those that never committed."""
    erased = set(keys)
    for store in (parts.stores.search, parts.stores.vectors):
        holdings = [holding for holding in store.holdings(tenant_id) if holding.key in erased]
        for holding in holdings:
            store.discard(tenant_id, holding.intent_id, [holding.key])
    damaged = parts.stores.vectors.damaged(tenant_id)
    if damaged:
        raise StoreCorruptError(
            f"{next(iter(damaged.values()))} It may hold the document, which is deleted but not yet erased: "
            "run `medkg verify --repair`, then erase it again."
        )


def _blank_ids_in_logs(parts: Parts, keys: Iterable[DocumentKey]) -> None:
    """Blank their ids in log files, in place because processes append to them, and in uploaded logs."""
    ids = sorted({key.doc_id for key in keys}, key=len, reverse=True)
    id_pattern = re.compile(
        rb"(?<![\w.-])(?:" + b"|".join(re.escape(doc_id.encode()) for doc_id in ids) + rb")(?![\w-])"
    )
    folders = (parts.settings.logs_dir, parts.settings.dagster_home / RUN_OUTPUT)
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        with path.open("r+b") as file:
            for match in id_pattern.finditer(file.read()):
                file.seek(match.start())
                file.write(b"*" * len(match.group()))
    for key in [stored.key for stored in parts.objects.list(RUN_OUTPUT)]:
        content = parts.objects.get(key)
        if content is not None and id_pattern.search(content.data):
            parts.objects.put(key, id_pattern.sub(lambda match: b"*" * len(match.group()), content.data))
