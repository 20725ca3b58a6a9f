"""The relay: brings the facts of the outbox to sinks, each in its own thread and at its own pace.

Comes in: the outbox and sinks. Leaves: facts published in order, places of the readers, and why one does not
come on. A sink's lease lets any number of relays run; one of them serves it at a time, and another goes on
when that one ends or is killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from orchestration.contracts.facts import Fact
from orchestration.contracts.outbox import FactSink, OutboxLedger, ReadFrom
from orchestration.errors import LeaseLostError, MedkgError
from orchestration.processes.child_process import is_alive

__all__ = ["Relay"]

FACTS_AT_ONCE: Final = 50
"""Facts of one call of a sink; each stands for up to a thousand events."""

IDLE_SECONDS: Final = 0.5
"""Between looks for new facts."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Between two tries of a sink that does not take facts; the pause doubles."""

LEASE_AGAIN_SECONDS: Final = 10.0
"""Between renewals of an idle reader's lease, and tries to get that of another relay."""


class Relay:
    """Serves sinks from `start` until `close`."""

    def __init__(self, outbox: OutboxLedger, sinks: Sequence[FactSink], owner: str) -> None:
        """`owner`: identity of this process, by which others see whether it lives."""
        self._stop = threading.Event()
        self._readers = [_Reader(outbox, sink, owner, self._stop) for sink in sinks]
        self._threads = [
            threading.Thread(target=reader.run, name=f"events {reader.name}", daemon=True)
            for reader in self._readers
        ]

    def start(self) -> None:
        """Begin to serve; returns at once."""
        for thread in self._threads:
            thread.start()

    def publish_all(self) -> dict[str, str]:
        """Publish what there is once, in this thread; why a sink did not take everything, by its name."""
        problems = {reader.name: reader.catch_up() for reader in self._readers}
        self.close()
        return {name: problem for name, problem in problems.items() if problem}

    def state_of(self, sink: str) -> str | None:
        """The state of a sink's reader that this relay serves; None while another one does."""
        return next((reader.state for reader in self._readers if reader.name == sink), None)

    def close(self, drain_seconds: float = 0.0) -> None:
        """End: publish what is left, for at most so many seconds, and give the leases back."""
        for reader in self._readers:
            reader.drain_until = time.monotonic() + drain_seconds
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for reader in self._readers:
            reader.close()


class _Reader:
    """One sink: lease, read, publish, advance."""

    def __init__(self, outbox: OutboxLedger, sink: FactSink, owner: str, stop: threading.Event) -> None:
        self.name = sink.name
        self.state: str | None = None
        self.drain_until = 0.0
        """Until when it goes on publishing once it is to stop."""
        self._outbox = outbox
        self._sink = sink
        self._owner = owner
        self._stop = stop
        self._place: ReadFrom | None = None
        self._leased_at = 0.0
        self._problem: str | None = None
        self._log = structlog.get_logger(__name__).bind(sink=sink.name)

    def run(self) -> None:
        """Serve the sink until the relay stops."""
        pause = FIRST_PAUSE
        while not self._stop.is_set():  # no-retry-loop: a clock; a sink repeats its own calls
            try:
                took = self._serve_once()
            except MedkgError as error:
                self._note(f"{error.code} {error.message}")
                self._stop.wait(min(LONGEST_PAUSE, max(pause, getattr(error, "retry_after", None) or 0)))
                pause = min(LONGEST_PAUSE, pause * 2)
            except Exception as error:  # noqa: BLE001 - the other sinks go on
                self._log.exception("sink failed")
                self._note(f"{type(error).__name__}: {error}. This is a defect of medkg; please report it.")
                self._stop.wait(LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                if not took:
                    self._stop.wait(IDLE_SECONDS if self._place is not None else LEASE_AGAIN_SECONDS)
        if self._problem is None and self._place is not None:
            self.catch_up(self.drain_until)

    def catch_up(self, until: float = float("inf")) -> str | None:
        """Publish until nothing is left, or the time of `monotonic`; why not everything was."""
        try:
            while time.monotonic() < until and self._serve_once():
                continue
        except MedkgError as error:
            self._note(f"{error.code} {error.message}")
            return self._problem
        return None if self._place is not None else "another process serves it"

    def close(self) -> None:
        """Give the lease back and close the sink."""
        if self._place is not None:
            try:
                self._outbox.release(self.name, self._owner, self._problem)
            except MedkgError as error:
                self._log.warning("lease not given back", code=error.code, message=error.message)
        self._place = None
        self._sink.close()

    def _serve_once(self) -> bool:
        """Publish the next facts; whether there were any."""
        place = self._leased()
        if place is None:
            return False
        facts = self._outbox.read(place.position, FACTS_AT_ONCE)
        if not facts:
            return False
        try:
            self._publish(place, facts)
        except LeaseLostError as error:
            self._place = None
            self._log.warning("another process serves the sink", code=error.code, message=error.message)
        return True

    def _publish(self, place: ReadFrom, facts: Sequence[Fact]) -> None:
        with _Renewal(self._outbox, self.name, self._owner, self._problem):
            state = self._sink.publish(facts, place.state)
        self._outbox.advance(self.name, self._owner, facts[-1].position, state)
        self._place, self.state = ReadFrom(facts[-1].position, state), state
        self._leased_at = time.monotonic()
        if self._problem is not None:
            self._log.warning("sink takes events again", position=facts[-1].position)
        self._problem = None

    def _leased(self) -> ReadFrom | None:
        """The place to go on from, under a lease of this process."""
        due = time.monotonic() - self._leased_at >= LEASE_AGAIN_SECONDS
        if self._place is None or due:
            self._place = self._outbox.lease(self.name, self._owner, is_alive)
            self._leased_at = time.monotonic()
            self.state = self._place.state if self._place is not None else None
        return self._place

    def _note(self, problem: str) -> None:
        """Log a problem when it is new, and keep it where `medkg status` finds it."""
        if problem != self._problem:
            self._log.warning("sink does not take events; they wait in the ledger", message=problem)
        self._problem = problem
        try:
            self._outbox.note_problem(self.name, self._owner, problem)
        except MedkgError as error:
            self._log.warning("problem not noted", code=error.code, message=error.message)


class _Renewal:
    """Keeps a lease while a sink publishes, which may take longer than the lease lasts."""

    def __init__(self, outbox: OutboxLedger, reader: str, owner: str, problem: str | None) -> None:
        self._renew = partial(outbox.note_problem, reader, owner, problem)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease {reader}", daemon=True)
        self._log = structlog.get_logger(__name__).bind(sink=reader)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(LEASE_AGAIN_SECONDS):  # no-retry-loop: a clock
            try:
                self._renew()
            except MedkgError as error:  # the next renewal may come through
                self._log.warning("lease not renewed", code=error.code, message=error.message)
