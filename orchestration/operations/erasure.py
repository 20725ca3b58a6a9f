"""Right-to-erasure deletes: a document leaves every store, segment, artifact, dead letter and log.

Comes in: the parts of a data folder and which document. Leaves: files that hold no byte of it. A plain delete
makes it invisible and removes its rows; this also rewrites what databases and indexes keep of removed rows,
and forgets that the document ever was. The ledger goes last, so what was broken off can be repeated. What is
not ours stays: the source's own files, backups and exports made before, a database server's logs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence

from orchestration.contracts import LedgerDocument
from orchestration.contracts.objects import RUN_OUTPUT
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.parts import Parts
from orchestration.operations.reembedding import alone
from orchestration.records import DocumentKey
from orchestration.runs.artifacts import remove_artifacts_of, remove_landed_of
from orchestration.runs.gate_payloads import GatePayloads

__all__ = ["erase"]


def erase(parts: Parts, rows: Sequence[LedgerDocument], say: Callable[[str], None]) -> list[DocumentKey]:
    """Erase the documents of these ledger rows; returns their keys. Idempotent.

    Takes as long as rewriting what the tenant has. Raises UsageError while a run works on one of them or
    vectors of another model are made, StoreCorruptError when a damaged segment may hold one.
    """
    with alone(parts.settings):
        return _erase(parts, rows, say)


def _erase(parts: Parts, rows: Sequence[LedgerDocument], say: Callable[[str], None]) -> list[DocumentKey]:
    at_work = sorted({row.key.doc_id for row in rows if row.status == "running"})
    if at_work:
        raise UsageError(
            f"a run works on {', '.join(at_work)}. Erase it when the run has ended (`medkg status`), or stop "
            "the run first (`medkg down`)."
        )
    keys = sorted({row.key for row in rows}, key=lambda key: (key.source, key.doc_id))
    tenant_id = parts.settings.tenant
    for key in keys:
        parts.ledger.delete_document(key)
    _leave_stores(parts, tenant_id, keys)
    removed = remove_artifacts_of(parts.objects, keys)
    GatePayloads(parts.objects).leave_out(keys)
    _leave_pdfs(parts, keys)
    if removed:
        say(f"{removed} artifacts of runs held it and are gone; those runs can be launched anew only")
    remove_landed_of(parts.objects, keys)
    _leave_logs(parts, keys)
    say("rewriting search index, vectors, documents and ledger without it")
    parts.stores.search.expunge(tenant_id)
    parts.stores.vectors.expunge(tenant_id)
    parts.stores.documents.expunge()
    parts.ledger.erase(keys)
    parts.ledger.expunge()
    return keys


def _leave_pdfs(parts: Parts, keys: Sequence[DocumentKey]) -> None:
    """The PDF, what it was converted to and where it came from, unless another document shares it."""
    for key in parts.ledger.pdf_objects(keys):
        folder, _, _ = key.rpartition("/")
        parts.objects.delete_all(folder)
    shutil.rmtree(parts.settings.downloads_dir, ignore_errors=True)  # what broken downloads left


def _leave_stores(parts: Parts, tenant_id: str, keys: Sequence[DocumentKey]) -> None:
    """Under every intent that ever wrote one of them, committed or not."""
    wanted = set(keys)
    for store in (parts.stores.search, parts.stores.vectors):
        held = [one for one in store.holdings(tenant_id) if one.key in wanted]
        for one in held:
            store.discard(tenant_id, one.intent_id, [one.key])
    damaged = parts.stores.vectors.damaged(tenant_id)
    if damaged:
        raise StoreCorruptError(
            f"{next(iter(damaged.values()))} It may hold the document, which is deleted but not yet erased: "
            "run `medkg verify --repair`, then erase it again."
        )
    for key in keys:
        parts.stores.documents.discard(key, None)


def _leave_logs(parts: Parts, keys: Iterable[DocumentKey]) -> None:
    """Blank their ids in log files, in place: processes go on writing to these; and in uploaded ones."""
    ids = sorted({key.doc_id for key in keys}, key=len, reverse=True)
    naming = re.compile(
        rb"(?<![\w.-])(?:" + b"|".join(re.escape(one.encode()) for one in ids) + rb")(?![\w-])"
    )
    folders = (parts.settings.logs_dir, parts.settings.dagster_home / RUN_OUTPUT)
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        with path.open("r+b") as file:
            for found in naming.finditer(file.read()):
                file.seek(found.start())
                file.write(b"*" * len(found.group()))
    for key in [one.key for one in parts.objects.list(RUN_OUTPUT)]:
        content = parts.objects.get(key)
        if content is not None and naming.search(content.data):
            parts.objects.put(key, naming.sub(lambda found: b"*" * len(found.group()), content.data))
