"""What facts cost: the ledger's calls of windows with facts written, against the same calls without.

Two new SQLite ledgers get the same documents in turn, window by window: listed, claimed, leased, nine stages,
committed. In one of them nothing of the outbox is written or looked up, and `begin`, which exists for facts
alone, is not called. Figures per document are medians of the rounds' differences; `share_of_a_launch` is
theirs of the measured launches in benchmarks/results. Then the rate at which the relay publishes, to a file
and, where MEDKG_TEST_KAFKA_BOOTSTRAP names a broker, to Kafka.

    python -m benchmarks.cases.events [ROUNDS]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from confluent_kafka.admin import AdminClient

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import OWNER, a_commit, a_submission, an_item, fingerprint_of
from orchestration.contracts import JobState, StageReport
from orchestration.contracts.outbox import FactSink
from orchestration.events.factory import CloudEventFactory
from orchestration.events.file import FileSink
from orchestration.events.kafka import KafkaSink
from orchestration.events.kafka_cluster import KafkaCluster
from orchestration.events.relay import Relay
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import own_identity
from orchestration.records import StageContext

from ..machine import hardware, versions

WINDOWS: Final = (100, 500)
ROUNDS: Final = 20
STAGES: Final = (
    *("ingest", "download", "parse", "ir_validation"),
    *("chunk", "embed", "index", "extract", "kg"),
)
RESULTS: Final = Path(__file__).parents[1] / "results"
LEDGER: Final = "orchestration.ledger"
RECORDED_IN: Final = {
    "accounts": ("record_documents",),
    "gates": ("record_documents",),
    "listing_facts": ("record", "record_listed"),
    "documents": ("record_documents",),
    "windows": ("record_documents", "record_window"),
    "jobs": ("record",),
    "outcomes": ("record", "record_documents"),
}
"""Functions of the outbox by the modules of the ledger that call them."""


def measure(rounds: int, folder: Path) -> dict[str, Any]:
    """Costs by size of window, the relay's rates, and shares of launches."""
    figures = {f"windows_of_{size}": _cost(size, rounds, folder / str(size)) for size in WINDOWS}
    launches = _launches()
    for cost in figures.values():
        cost["share_of_a_launch"] = {
            name: {
                "cpu": round(cost["facts_cpu_ms"] / launch["cpu_ms"], 4),
                "wall": round(cost["facts_wall_ms"] / launch["wall_ms"], 4),
            }
            for name, launch in launches.items()
        }
    return {
        "launches": launches,
        **figures,
        "relay": _relay(folder / str(WINDOWS[0]) / "with.sqlite", folder),
    }


def _cost(size: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Milliseconds and bytes per document; the first round warms up and does not count."""
    folder.mkdir()
    with_facts, without = (open_ledger(f"sqlite:///{folder}/{name}.sqlite") for name in ("with", "without"))
    spent: list[tuple[float, float, float, float]] = []
    for number in range(rounds + 1):
        if number % 2:
            on = _timed(with_facts, number, size)
            with _no_facts():
                off = _timed(without, number, size)
        else:
            with _no_facts():
                off = _timed(without, number, size)
            on = _timed(with_facts, number, size)
        spent.append((*on, *off))
    with_facts.close()
    without.close()
    counted = [[seconds * 1000 / size for seconds in of_round] for of_round in spent[1:]]
    documents = (rounds + 1) * size
    written = (folder / "with.sqlite").stat().st_size - (folder / "without.sqlite").stat().st_size
    return {
        "documents": documents,
        "ledger_cpu_ms": round(median(cpu for *_, cpu, _ in counted), 3),
        "ledger_wall_ms": round(median(wall for *_, wall in counted), 3),
        "facts_cpu_ms": round(median(on - off for on, _, off, _ in counted), 3),
        "facts_wall_ms": round(median(on - off for _, on, _, off in counted), 3),
        "outbox_bytes": round(written / documents),
    }


def _timed(ledger: SqlLedger, number: int, size: int) -> tuple[float, float]:
    """CPU and wall seconds of a job with one window."""
    cpu, wall = time.process_time(), time.perf_counter()
    _window(ledger, number, size)
    return time.process_time() - cpu, time.perf_counter() - wall


def _window(ledger: SqlLedger, number: int, size: int) -> None:
    """What a launch asks of the ledger for one window."""
    job_id = f"job-{number}"
    ledger.jobs.open(a_submission(job_id))
    items = [an_item(f"NCT{number:04}{place:04}") for place in range(size)]
    ledger.jobs.enqueue(job_id, items, fingerprint_of)
    ledger.jobs.set_state(job_id, JobState.OPEN)
    window_id = ledger.windows.claim(job_id, size)
    assert window_id is not None
    contexts = [document.ctx for document in ledger.windows.lease(window_id, OWNER).documents]
    contexts = ledger.outcomes.record_versions(contexts)
    for stage in STAGES:
        ledger.outcomes.begin(window_id, stage, contexts)
        report = _report(job_id, window_id, stage, contexts)
        ledger.outcomes.advance(window_id, stage, contexts, [], {}, report, [3] * size)
    intent = ledger.commits.open_intent(TENANT, OWNER, [ctx.key for ctx in contexts])
    ledger.outcomes.finish(window_id, OWNER, [a_commit(ctx, intent.intent_id) for ctx in contexts])
    ledger.jobs.settle(job_id)


def _report(job_id: str, window_id: str, stage: str, contexts: list[StageContext]) -> StageReport:
    return StageReport(
        job_id=job_id,
        window_id=window_id,
        stage=stage,
        documents_in=len(contexts),
        documents_out=len(contexts),
        failed=0,
        retried=0,
        items_out=3 * len(contexts),
        started_at=1,
        seconds=1,
        cpu_seconds=1,
    )


@contextmanager
def _no_facts() -> Iterator[None]:
    """The ledger writes no fact and looks nothing up for one."""
    targets = [f"{LEDGER}.{module}.{name}" for module, names in RECORDED_IN.items() for name in names]
    nothing: list[Any] = [patch(target, lambda *_, **__: None) for target in targets]
    nothing.append(patch(f"{LEDGER}.windows._not_leased_by", lambda *_: []))
    nothing.append(patch(f"{LEDGER}.outcomes.SqlOutcomes.begin", lambda *_: None))
    for change in nothing:
        change.start()
    try:
        yield
    finally:
        for change in nothing:
            change.stop()


def _relay(path: Path, folder: Path) -> dict[str, Any]:
    """Events per second from the outbox to each sink, the expansion of facts included."""
    ledger = open_ledger(f"sqlite:///{path}")
    file = folder / "events.jsonl"
    rates = {"file": _published(ledger, FileSink(file, CloudEventFactory().events))}
    events = len(file.read_bytes().splitlines())
    if brokers := os.environ.get("MEDKG_TEST_KAFKA_BOOTSTRAP"):
        topic = f"test.bench.{uuid4().hex[:8]}"
        sink = KafkaSink(KafkaCluster(brokers), CloudEventFactory().events, topic)
        rates["kafka"] = _published(ledger, sink)
        admin = AdminClient({"bootstrap.servers": brokers})
        admin.delete_topics([topic])[topic].result()
    ledger.close()
    return {
        "events": events,
        "bytes_per_event": round(file.stat().st_size / events),
        "events_per_second": {name: round(events / seconds) for name, seconds in rates.items()},
    }


def _published(ledger: SqlLedger, sink: FactSink) -> float:
    """Seconds until everything is published."""
    started = time.perf_counter()
    problems = Relay(ledger.outbox, [sink], own_identity()).publish_all()
    assert not problems, problems
    return time.perf_counter() - started


def _launches() -> dict[str, dict[str, float]]:
    """CPU and wall milliseconds per document of measured launches."""
    scale = json.loads((RESULTS / "cpu-scale.json").read_text())["cases"]["scale"]
    hot = json.loads((RESULTS / "h200-pipeline.json").read_text())["launch"]["hot"]
    documents = hot["documents"]["committed"]
    return {
        "cpu-scale.json": {
            "cpu_ms": round(sum(tenth["cpu_ms"] for tenth in scale["tenths"]) / len(scale["tenths"]), 2),
            "wall_ms": round(scale["seconds"] * 1000 / scale["documents"], 2),
        },
        "h200-pipeline.json": {
            "cpu_ms": round(sum(hot["cpu_seconds_by_stage"].values()) * 1000 / documents, 2),
            "wall_ms": round(hot["seconds"] * 1000 / documents, 2),
        },
    }


def main() -> None:
    """Write the result to stdout."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    started = datetime.now(UTC).isoformat(timespec="seconds")
    machine = hardware()
    with tempfile.TemporaryDirectory(prefix="medkg-bench-events-") as folder:
        figures = measure(rounds, Path(folder))
    result = {
        "measured_at": started,
        "rounds": rounds,
        "hardware": machine,
        "versions": versions(),
        **figures,
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
