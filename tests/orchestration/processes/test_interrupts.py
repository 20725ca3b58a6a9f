"""Ctrl-C comes after a stretch that must not be torn apart, never into it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestration.ledger.database import Database
from orchestration.processes.interrupts import uninterrupted


def test_an_interrupt_is_delivered_when_the_block_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_blocks_may_nest_and_an_error_goes_before_the_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as raised, uninterrupted(), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the block")
    assert isinstance(raised.value.__context__, ValueError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_left_alone() -> None:
    handlers = []

    def work() -> None:
        with uninterrupted():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_an_interrupted_transaction_is_whole_and_leaves_no_lock(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    other = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with pytest.raises(KeyboardInterrupt), database.writing() as connection:
        signal.raise_signal(signal.SIGINT)
        connection.execute(text("CREATE TABLE written (number INTEGER)"))
    with other.writing() as connection:
        connection.execute(text("INSERT INTO written VALUES (1)"))
    for each in (database, other):
        each.close()
