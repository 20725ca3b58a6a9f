"""What forked children do in tests of fork servers."""

from __future__ import annotations

import os
import signal
import sys


def report() -> None:
    """Write what a child sees: its environment, its arguments, and whether its session is its own."""
    facts = (os.environ["COLOUR"], *sys.argv[1:], str(os.getsid(0) == os.getpid()))
    sys.stdout.write(" ".join(facts) + "\n")


def print_shape() -> None:
    """Print a variable of the environment."""
    print(os.environ.get("SHAPE"))  # noqa: T201


def end_with_three() -> None:
    raise SystemExit(3)


def fail() -> None:
    raise OSError(28, "No space left on device")


def wait_for_signal() -> None:
    signal.pause()
