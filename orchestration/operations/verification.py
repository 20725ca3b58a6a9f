"""`medkg verify`: differences between ledger and stores, the plan of their repair, and the repair.

Comes in: the parts of a data folder. Leaves: differences, plan and what was done as JSON values; after
a repair, ledger and stores that agree as far as anything whole was left to restore them from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import uuid4

from orchestration.errors import UsageError
from orchestration.formats.last_checks import note_check
from orchestration.jobs.host_client import HostClient
from orchestration.operations.parts import Parts
from orchestration.operations.repair_means import open_means, pipeline_of
from orchestration.records import DocumentKey
from orchestration.stores.repair import Repair, Repaired
from orchestration.stores.repair_plan import Step, repair_plan
from orchestration.stores.verify import EVERY, Difference

__all__ = ["Allow", "verify"]

SHOWN_DOCUMENTS: Final = 10

Allow = Callable[[Sequence[Step]], bool]
"""Shown the plan; whether the steps that delete may be done, too."""


def verify(parts: Parts, notify: Callable[[str], None], allow: Allow | None) -> dict[str, Any]:
    """Compare ledger and stores; with `allow`, repair what differs and compare again.

    `consistent` is about the state at the end, `differences` and `plan` are those at the start. Raises
    UsageError for a damaged ledger that a host still has open.
    """
    tenant_id = parts.settings.tenant
    damage = parts.ledger_damage()
    differences = [_of_ledger(tenant_id)] if damage is not None else _differences(parts, tenant_id)
    plan = repair_plan(differences, _repair_deletes(parts, tenant_id, differences))
    done: Repaired | None = None
    remaining = differences
    if allow is not None and (differences or _others(parts, tenant_id, damage)):
        delete = allow(plan)
        if damage is not None:
            _set_ledger_aside(parts, notify)
        done = _repaired(parts, notify, delete=delete)
        remaining = _differences(parts, tenant_id)
    note_check(parts.settings.data_dir, "verify", len(remaining))
    value: dict[str, Any] = {
        "consistent": not remaining,
        "differences": [
            {"doc_id": each.key.doc_id, "store": each.store, "kind": each.kind} for each in differences
        ],
        "repaired": len(set(differences) - set(remaining)),
    }
    if plan:
        value["plan"] = [step.model_dump() for step in plan]
    if done is not None:
        value |= _as_json(done)
    return value


def _as_json(done: Repaired) -> dict[str, Any]:
    return {
        "restored": done.restored,
        "removed": done.removed,
        "deleted": [key.doc_id for key in done.deleted],
        "queued": [key.doc_id for key in done.queued],
        "left": [{"doc_id": key.doc_id, "reason": reason} for key, reason in done.left.items()],
    }


def _repaired(parts: Parts, notify: Callable[[str], None], *, delete: bool) -> Repaired:
    tenant_id, stores = parts.settings.tenant, parts.stores
    with open_means(parts, notify) as means:
        repair = Repair(
            parts.ledger,
            (stores.search, stores.vectors, stores.documents),
            parts.index,
            parts.graph_writer,
            parts.verification,
            means,
        )
        models, find_pipeline = [parts.model_ids()["dense"]], pipeline_of(parts)
        committed = 0
        for tenant in _tenants(parts, tenant_id):
            count = repair.restore_commits(tenant, models, find_pipeline, str(uuid4()))
            if tenant == tenant_id:
                committed = count
            elif count:
                notify(f"tenant {tenant}: {count} documents are in the ledger again")
        done = repair.repair(tenant_id, delete=delete)
        done.note("ledger", committed)
        if parts.projection is not None:
            projected = parts.projection.repair(tenant_id)
            done.note("projection", projected.projected + projected.derived)
    if done.queued:
        names = ", ".join(key.doc_id for key in done.queued[:SHOWN_DOCUMENTS])
        notify(f"{len(done.queued)} documents are queued again; run their sources: {names}")
    return done


def _differences(parts: Parts, tenant_id: str) -> list[Difference]:
    differences = parts.verification.differences(tenant_id)
    if parts.projection is not None:
        differences += [
            Difference(key=each.key, intent_id=EVERY, store="projection", kind=each.kind)
            for each in parts.projection.differences(tenant_id)
        ]
    return differences


def _tenants(parts: Parts, tenant_id: str) -> list[str]:
    """Tenants whose commits may be lost: a ledger is lost for all of them."""
    if parts.stores.documents.damage() is not None:
        return [tenant_id]
    return sorted({tenant_id, *parts.stores.documents.tenants()})


def _others(parts: Parts, tenant_id: str, damage: str | None) -> bool:
    """Whether only other tenants have documents that the ledger lost."""
    return damage is None and parts.is_ledger_lost() and _tenants(parts, tenant_id) != [tenant_id]


def _repair_deletes(parts: Parts, tenant_id: str, differences: Sequence[Difference]) -> bool:
    damaged = any(each.store == "search" and each.key.doc_id == EVERY for each in differences)
    return damaged and parts.stores.search.repair_deletes(tenant_id)


def _of_ledger(tenant_id: str) -> Difference:
    key = DocumentKey(tenant_id=tenant_id, source=EVERY, doc_id=EVERY)
    return Difference(key=key, intent_id=EVERY, store="ledger", kind="damaged")


def _set_ledger_aside(parts: Parts, notify: Callable[[str], None]) -> None:
    if HostClient(parts.settings).is_running():
        raise UsageError(
            f"the ledger of {parts.settings.data_dir} is damaged, and the host has it open. Stop it with "
            "`medkg down`, then repair."
        )
    notify(f"the damaged ledger is now {parts.set_ledger_aside()}")
