"""The `medkg` command: its answers are tables for people or JSON for programs.

Each module holds the commands of one subject. They call `assembly` and print; they make no decisions.
"""

from __future__ import annotations

import signal

__all__ = ["medkg"]


def medkg() -> None:
    """Entry point of the console script; Ctrl-C during its imports ends it without a traceback."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from orchestration.cli.main import main

    signal.signal(signal.SIGINT, handler)
    main()
