"""Everything that is degraded in a data folder: what was observed, and what can be read at once.

Comes in: the parts of a data folder, and its host's status. Leaves: degradations. Reads are few, bounded in
rows, and each in a time limit: a server that hangs is named and costs its limit once.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestration.contracts import WaitingDocument
from orchestration.contracts.outbox import OutboxReader, OutboxState
from orchestration.errors import MedkgError
from orchestration.formats.last_checks import LastCheck, last_check
from orchestration.operations.health.degradation import Degradation, advice
from orchestration.operations.health.observed import KINDS, SECONDS, observed
from orchestration.operations.store_checks import ask_store

if TYPE_CHECKING:
    from orchestration.contracts.host import HostStatus
    from orchestration.operations.parts import Parts

__all__ = ["degraded"]

Reading: TypeAlias = Callable[[], Iterable[Degradation]]

LIMIT_SECONDS: Final = 5.0
"""How long the ledger may take for all of its readings, and the machine for its own."""
MOST_FACTS: Final = 500
"""Observed facts that are read, the newest."""
MOST_WAITING: Final = 200
"""Documents at gates that are read, the longest waiting."""
BEHIND_SECONDS: Final = 60.0
"""Age of the oldest fact that a reader has not had, from which it counts as behind."""
RISING_SECONDS: Final = 3_600.0
RISING: Final = 20
"""Dead letters within the last hour that count as many."""
LEAST_FREE: Final = 0.05
"""Share of a disk that should be free; below a gigabyte `medkg doctor` fails."""
LEAST_FREE_BYTES: Final = 5_000_000_000
BACKUP_SECONDS: Final = 2 * 86_400.0
"""Age from which a backup is old, where backups are made at all."""


def degraded(parts: Parts, host: HostStatus | None, now: float | None = None) -> list[Degradation]:
    """All that is degraded, the most general first; [] when nothing is.

    What a host states now and has also noted in the ledger is one of them, with the time of the note.
    """
    at = time.time() if now is None else now
    tenant, data_dir = parts.settings.tenant, parts.settings.data_dir
    of_ledger: Mapping[str, Reading] = {
        "outbox": lambda: observed(parts.ledger.outbox.recent(KINDS, at - SECONDS, MOST_FACTS), at),
        "readers of the outbox": lambda: _readers(parts.ledger.outbox.state(), at),
        "gates": lambda: _gates(parts.gates.overdue(tenant, at, MOST_WAITING)),
        "dead letters": lambda: _dead_letters(
            parts.ledger.dead_letters.counts_since(tenant, at - RISING_SECONDS)
        ),
    }
    of_machine: Mapping[str, Reading] = {
        "disks": lambda: _disks(str(data_dir), tempfile.gettempdir()),
        "backup": lambda: _backup(last_check(data_dir, "backup"), at),
        "verification": lambda: _verification(last_check(data_dir, "verify")),
    }
    noted = _read("ledger", of_ledger)
    since = {each.subject: each.since for each in noted}
    of_host = [each.model_copy(update={"since": since.get(each.subject)}) for each in _of_host(host)]
    shown = {each.subject for each in of_host}
    return [
        *of_host,
        *(each for each in noted if each.subject not in shown),
        *_read("machine", of_machine),
    ]


def _read(name: str, readings: Mapping[str, Reading]) -> list[Degradation]:
    """Results of readings, in one time limit; an error, or that it took too long, is a degradation itself."""
    degradations: list[Degradation] = []

    def ask() -> str:
        for subject, reading in readings.items():
            try:
                degradations.extend(reading())
            except MedkgError as error:
                degradations.append(_unread(subject, error))
            except OSError as error:
                cause = f"it cannot be read: {error}"
                degradations.append(
                    Degradation(subject=subject, cause=cause, next_step="Check the disk and its permissions.")
                )
        return ""

    try:
        ask_store(name, ask, LIMIT_SECONDS)
    except MedkgError as error:
        return [*degradations, _unread(name, error)]
    by_cause = {(each.cause, each.next_step): each for each in reversed(degradations)}
    return [each for each in degradations if by_cause[each.cause, each.next_step] is each]


def _unread(subject: str, error: MedkgError) -> Degradation:
    return Degradation(subject=subject, cause=error.message, next_step=advice(error.code), code=error.code)


# --- readings -----------------------------------------------------------------------------------------


def _of_host(host: HostStatus | None) -> Iterator[Degradation]:
    """Replicas with a fault, and PDF converters that take no tasks."""
    if host is None:
        return
    for replica, fault in host.replica_faults().items():
        yield Degradation(
            subject=replica,
            cause=fault,
            next_step="It restarts by itself; see logs/host.log. `medkg doctor` checks GPUs.",
        )
    for converter in host.unavailable_converters:
        code = converter.obstacle.code or ""
        yield Degradation(
            subject=converter.resource,
            cause=converter.obstacle.message,
            next_step=advice(code) or "Start it; its documents wait at their gate.",
            code=code,
        )


def _readers(state: OutboxState, now: float) -> Iterator[Degradation]:
    for reader in state.readers:
        late = reader.oldest_at is not None and now - reader.oldest_at > BEHIND_SECONDS
        if reader.behind and (late or reader.problem):
            yield Degradation(
                subject=f"reader {reader.name}",
                cause=_lag(reader, now) + (f": {reader.problem}" if reader.problem else ""),
                next_step=_next_step_of(reader),
                since=reader.oldest_at,
            )
        if reader.dropped:
            yield Degradation(
                subject=f"reader {reader.name}",
                cause=f"{reader.dropped:,} facts were dropped before it had them, since the outbox was full",
                next_step="Raise MEDKG_OUTBOX_FACTS, or repair its sink. The ledger still has the states.",
            )


def _lag(reader: OutboxReader, now: float) -> str:
    age = f", the oldest {_span(now - reader.oldest_at)} old" if reader.oldest_at is not None else ""
    return f"{reader.behind:,} facts behind{age}"


def _next_step_of(reader: OutboxReader) -> str:
    if reader.problem:
        return "Correct what the cause names; the relay tries again by itself and loses nothing until then."
    if reader.owner is None:
        return (
            "No relay runs: `medkg up` keeps one. A sink that is no longer used: `medkg events forget NAME`."
        )
    return "It catches up; if it does not, look at its sink and at logs/events-relay.log."


def _gates(documents: Sequence[WaitingDocument]) -> Iterator[Degradation]:
    since = {document.gate: document.since for document in reversed(documents)}
    for gate, count in Counter(document.gate for document in documents).items():
        least = "at least " if count == MOST_WAITING else ""
        yield Degradation(
            subject=f"gate {gate.pipeline_name}/{gate.name}",
            cause=f"{least}{count} documents wait longer than its timeout_seconds",
            next_step="No process sweeps gates: `medkg up`. `medkg gate list` shows what they wait for.",
            since=since[gate],
        )


def _dead_letters(counts: Mapping[tuple[str, str], int]) -> Iterator[Degradation]:
    total = sum(counts.values())
    if total < RISING:
        return
    (stage, code), most = max(counts.items(), key=lambda item: item[1])
    yield Degradation(
        subject="dead letters",
        cause=f"{total} within the last hour, {most} of them in {stage} with {code}",
        next_step=f"`medkg dlq list` shows them. {advice(code)}".strip(),
        code=code,
    )


def _disks(*folders: str) -> Iterator[Degradation]:
    for folder in folders:
        usage = shutil.disk_usage(folder)
        if usage.free < LEAST_FREE_BYTES and usage.free < LEAST_FREE * usage.total:
            yield Degradation(
                subject=f"disk of {folder}",
                cause=f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.0f} GB are free",
                next_step="Free some, or move the data folder; runs stop when nothing can be written.",
            )


def _backup(last: LastCheck | None, now: float) -> Iterator[Degradation]:
    if last is None or last.succeeded_at is None or now - last.succeeded_at <= BACKUP_SECONDS:
        return
    yield Degradation(
        subject="backup",
        cause=f"the last one, to {last.place}, is {_span(now - last.succeeded_at)} old",
        next_step="`medkg backup FOLDER`, or look at what should have made it.",
        since=last.succeeded_at,
    )


def _verification(last: LastCheck | None) -> Iterator[Degradation]:
    if last is not None and last.differences:
        yield Degradation(
            subject="stores",
            cause=f"the last `medkg verify` left {last.differences} differences between ledger and stores",
            next_step="`medkg verify --repair` restores what differs; it asks before it deletes.",
            since=last.succeeded_at,
        )


def _span(seconds: float) -> str:
    """A time for people: its two largest units at most."""
    span = timedelta(seconds=int(max(0.0, seconds)))
    hours, rest = divmod(span.seconds, 3600)
    minutes, rest = divmod(rest, 60)
    units = [(span.days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    parts = [f"{value} {unit}" for value, unit in units if value]
    return " ".join(parts[:2]) or "0 s"
