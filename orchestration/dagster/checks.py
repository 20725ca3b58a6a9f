"""Asset checks that a user or a schedule runs: the account of each topology's jobs, and whether stores agree.

Input: the ledger and the stores, through resources. Output: checks on documents/TOPOLOGY and on index, and
the job `verify_job`. Each window run also evaluates the account when it ends, under the same check.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetSelection,
    asset_check,
    define_asset_job,
)

from orchestration.contracts import Ledger
from orchestration.dagster.assets import INDEX, documents_key
from orchestration.dagster.reports import ACCOUNT_CHECK, account_problem

if TYPE_CHECKING:
    from orchestration.stores.verify import Difference, Verification

__all__ = ["STORES_CHECK", "VERIFY_JOB", "StoreVerification", "account_check", "stores_check", "verify_job"]

LEDGER: Final = "job_ledger"
STORES: Final = "store_verification"
"""Resource: `StoreVerification`."""

STORES_CHECK: Final = "stores_agree"
VERIFY_JOB: Final = "verify_job"
SHOWN: Final = 20
"""Differences and jobs that a result lists by name."""


class StoreVerification:
    """The comparison of the stores of a data folder, for all its tenants."""

    def __init__(self, ledger: Ledger, verification: "Callable[[], Verification]", tenant_id: str) -> None:
        """`tenant_id` is compared even if none of its documents is visible."""
        self._ledger = ledger
        self._verification = verification
        self._tenant_id = tenant_id

    def differences(self) -> "list[Difference]":
        """Every disagreement, tenant by tenant. Raises what a store that is unavailable raises."""
        verification = self._verification()
        tenants = sorted({self._tenant_id, *self._ledger.commits.tenants()})
        return [each for tenant in tenants for each in verification.differences(tenant)]


def account_check(topology: str) -> AssetChecksDefinition:
    """Whether the account of every job of the topology adds up."""

    @asset_check(
        asset=documents_key(topology),
        name=ACCOUNT_CHECK,
        description="in = committed + failed + skipped + waiting + pending, for every job of the topology; "
        "each window run evaluates its own job when it ends.",
        required_resource_keys={LEDGER},
    )
    def account(context: AssetCheckExecutionContext) -> AssetCheckResult:
        ledger: Ledger = context.resources.job_ledger
        jobs = [job for job in ledger.jobs.find(None, None) if job.submission.pipeline_name == topology]
        problems = [problem for problem in map(account_problem, jobs) if problem is not None]
        totals: Counter[str] = Counter()
        for job in jobs:
            totals.update(job.documents.model_dump())
        totals["in"] = totals.pop("total", 0)
        return AssetCheckResult(
            passed=not problems,
            description=problems[0] if problems else f"The accounts of {len(jobs)} jobs add up.",
            metadata={"jobs": len(jobs), **totals, "problems": problems[:SHOWN]},
        )

    return account


def stores_check() -> AssetChecksDefinition:
    """Whether ledger, search store, vector store and document store agree: `medkg verify` as a check."""

    @asset_check(
        asset=INDEX,
        name=STORES_CHECK,
        description="Compares ledger, search index, vectors and document store of each tenant, as `medkg "
        "verify` does; `medkg verify --repair` repairs differences.",
        required_resource_keys={STORES},
    )
    def stores(context: AssetCheckExecutionContext) -> AssetCheckResult:
        verification: StoreVerification = context.resources.store_verification
        differences = verification.differences()
        counts = Counter(f"{each.store} {each.kind}" for each in differences)
        return AssetCheckResult(
            passed=not differences,
            description=f"{len(differences)} differences: `medkg verify --repair` repairs them."
            if differences
            else "The stores agree.",
            metadata={
                "differences": len(differences),
                "by_kind": dict(counts),
                "documents": [
                    f"{each.key.tenant_id}/{each.key.source}/{each.key.doc_id}: {each.store} {each.kind}"
                    for each in differences[:SHOWN]
                ],
            },
        )

    return stores


def verify_job(check: AssetChecksDefinition) -> Any:
    """The job that runs the check of the stores, for a schedule or the launchpad."""
    return define_asset_job(
        VERIFY_JOB,
        selection=AssetSelection.checks(check),
        description="Compares ledger, search index, vectors and document store: `medkg verify` as a run.",
    )
