"""The deletion of documents: from the ledger first, then from every store.

Comes in: ledger, index and document store, and keys. Leaves: none of these documents in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestration.batching import batched
from orchestration.contracts import DocumentLedger, DocumentStore, IndexWriter
from orchestration.records import DocumentKey

__all__ = ["delete_documents"]

DELETED_AT_ONCE: Final = 500


def delete_documents(
    ledger: DocumentLedger, index: IndexWriter, documents: DocumentStore, keys: Sequence[DocumentKey]
) -> None:
    """Delete documents in every version; unknown keys are passed over. Idempotent.

    Order of writes, for DELETED_AT_ONCE documents at a time: (1) the ledger marks the documents deleted and
    withdraws their commits in one transaction, which also ends the leases of runs that work on them; (2)
    their chunks leave the search store, then the vector store; (3) their parsed versions leave the document
    store.

    Guarantees: after (1) no reader finds the document and no run that had started can commit it, whatever
    fails later. When this returns, all of (1) to (3) is durable. If the process dies in between, entries
    remain that no reader sees. `medkg verify` reports chunks and vectors as leftovers, and `--repair` removes
    them; parsed versions stay until the document is erased. Bytes of discarded entries may remain on disk;
    `operations.erasure` removes those too.
    """
    for batch in batched(keys, DELETED_AT_ONCE):
        index.clean(ledger.delete(batch))
        for key in batch:
            documents.discard(key, None)
