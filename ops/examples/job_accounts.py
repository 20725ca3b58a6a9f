"""A consumer of medkg's events: the account of each job, from nothing but the messages of the topic.

    python -m ops.examples.job_accounts kafka-1:9092,kafka-2:9092

It reads the topic from its beginning to its end and prints a JSON line per job: how many of its documents
are committed, failed, skipped, waiting and pending, as `medkg status JOB` shows it. A second argument names
another topic. `Accounts` takes the events of one document in order, those of different documents in any, and
an event more than once.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException

TOPIC: Final = "orchestration.events.v1"
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


def events_until_now(brokers: str, topic: str = TOPIC) -> Iterator[dict[str, Any]]:
    """The events of the topic from its beginning to its present end; raises KafkaException."""
    config = {"bootstrap.servers": brokers, "group.id": "job-accounts", "auto.offset.reset": "earliest"}
    consumer = Consumer(config | {"enable.auto.commit": False, "enable.partition.eof": True})
    consumer.subscribe([topic])
    ended: set[int | None] = set()
    try:
        while not ended or len(ended) < len(consumer.assignment()):
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield json.loads(message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)  # librdkafka goes on trying where no broker answers
    finally:
        consumer.close()


def main() -> int:
    """Print the accounts of all jobs; returns the exit code."""
    if len(sys.argv) not in (2, 3):
        sys.stderr.write("usage: python -m ops.examples.job_accounts BROKERS [TOPIC]\n")
        return 2
    accounts = Accounts()
    try:
        for event in events_until_now(*sys.argv[1:]):
            accounts.take(event)
    except KafkaException as error:
        sys.stderr.write(f"{sys.argv[1]}: {error.args[0].str()}. Correct the address or the topic.\n")
        return 3
    for job, account in accounts.by_job().items():
        sys.stdout.write(json.dumps({"job": job, **account}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
