"""Changes of files and folders, as they happen.

Comes in: paths. Leaves: a moment at once, and one after every change that has settled, for as long as it is
asked. Which files changed does not matter to who asks: the ledger tells what is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["changes"]

SETTLED_MILLISECONDS: Final = 1_000
"""A change is told when nothing followed it for so long: a file that is being copied is let come in."""


def changes(paths: Sequence[str]) -> Iterator[None]:
    """Now, and after every change; ends with Ctrl-C. Nothing between two is missed.

    What is not there yet is waited for through its folder.
    """
    from watchfiles import watch

    watched = {path if path.is_dir() else path.parent for path in map(Path, paths)}
    seen = watch(
        *watched,
        step=SETTLED_MILLISECONDS,
        debounce=10 * SETTLED_MILLISECONDS,
        rust_timeout=SETTLED_MILLISECONDS,
        yield_on_timeout=True,
    )
    with suppress(KeyboardInterrupt):
        for number, changed in enumerate(seen):
            if changed or number == 0:
                yield
