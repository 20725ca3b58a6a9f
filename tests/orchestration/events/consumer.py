"""A consumer of medkg's events: the account of each job, from nothing but the messages of the topic.

Comes in: CloudEvents as JSON values, in the order in which a consumer gets them: those of one document in
order, those of different documents in any. An event may come more than once. Leaves: how many documents of
each job are committed, failed, skipped, waiting and pending, as `medkg status JOB` shows it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

PREFIX: Final = "org.medicalkg.orchestration."
OUTCOMES: Final = {
    "document.committed": "committed",
    "document.failed": "failed",
    "document.skipped": "skipped",
    "document.deleted": "skipped",
}
UNFINISHED: Final = ("pending", "waiting")


class Accounts:
    """Accounts of all jobs. A consumer that restarts keeps these fields together with its offsets."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        """Ids of events."""
        self._total: Counter[str] = Counter()
        """Items that were listed, by job."""
        self._failed: Counter[str] = Counter()
        """Of them those that stand for no document in `_outcomes`: unreadable records, repeated ids."""
        self._outcomes: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        """Outcome by job, of each document in each pipeline."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Count an event, once."""
        if event["id"] in self._seen:
            return
        self._seen.add(event["id"])
        kind = event["type"].removeprefix(PREFIX)
        if kind == "job.opened":
            self._total[event["jobid"]] += 0
        elif kind == "job.listed":
            self._total[event["jobid"]] += event["data"]["counts"]["total"]
            self._failed[event["jobid"]] += event["data"]["counts"]["failed"]
        elif kind.startswith(("document.", "gate.")) and "pipeline" in event:
            self._of_document(kind, event, self._outcomes[event["pipeline"], event["partitionkey"]])

    def _of_document(self, kind: str, event: Mapping[str, Any], outcomes: dict[str, str]) -> None:
        if kind == "document.queued":
            _move(outcomes, ["waiting"], "pending")
            if "jobid" in event:  # else queued again by an operator, for no job
                outcomes[event["jobid"]] = "pending"
        elif kind == "document.displaced":
            if outcomes.pop(event["jobid"], None) == "failed":  # and stays so
                self._failed[event["jobid"]] += 1
        elif kind == "gate.reached":
            _move(outcomes, ["pending"], "waiting")
        elif kind in ("gate.opened", "document.handedback"):
            _move(outcomes, ["waiting"], "pending")
        elif kind in OUTCOMES and event["data"].get("stage") != "enumerate":  # those are counted as listed
            _move(outcomes, UNFINISHED, OUTCOMES[kind])

    def by_job(self) -> dict[str, dict[str, int]]:
        """The accounts: total, committed, failed, waiting, pending; the rest of the total is skipped."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for outcomes in self._outcomes.values():
            for job, outcome in outcomes.items():
                counts[job][outcome] += 1
        accounts = {}
        for job, total in self._total.items():
            account = {name: counts[job][name] for name in ("committed", "failed", *UNFINISHED)}
            account["failed"] += self._failed[job]
            accounts[job] = {**account, "skipped": total - sum(account.values()), "total": total}
        return accounts


def _move(outcomes: dict[str, str], before: Collection[str], after: str) -> None:
    """Set the outcome in every job where the document has one of `before`."""
    outcomes.update({job: after for job, outcome in outcomes.items() if outcome in before})
