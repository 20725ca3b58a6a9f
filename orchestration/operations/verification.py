"""`medkg verify`: differences between ledger and stores, and their repair.

Comes in: the parts of a data folder. Leaves: the differences as JSON values, and consistent stores if they
were to be repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestration.operations.models import LazyModels
from orchestration.operations.parts import Parts
from orchestration.processes.child_process import is_alive
from orchestration.stores.verify import Verification

__all__ = ["verify"]

SHOWN_DOCUMENTS: Final = 10


def verify(parts: Parts, notify: Callable[[str], None], *, repair: bool) -> dict[str, Any]:
    """Compare ledger and stores; with `repair`, fix the differences and compare again.

    `consistent` is about the state at the end, `differences` are those at the start.
    """
    tenant_id, stores = parts.settings.tenant, parts.stores
    check = Verification(parts.ledger.commits, stores.search, stores.vectors, stores.documents, is_alive)
    differences = check.differences(tenant_id)
    remaining = differences
    if repair and differences:
        with LazyModels(lambda: parts.models(("dense",), notify)) as models:
            requeued = check.repair(
                tenant_id, lambda texts: models().embed_texts(texts), parts.ledger.documents.requeue
            )
        remaining = check.differences(tenant_id)
        if requeued:
            names = ", ".join(key.doc_id for key in requeued[:SHOWN_DOCUMENTS])
            notify(f"{len(requeued)} documents were lost and are queued again; run their sources: {names}")
    shown = [
        {"doc_id": difference.key.doc_id, "store": difference.store, "kind": difference.kind}
        for difference in differences
    ]
    return {
        "consistent": not remaining,
        "differences": shown,
        "repaired": len(differences) - len(remaining),
    }
