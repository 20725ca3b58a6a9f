"""Changes of files and folders, as they happen.

Comes in: paths. Leaves: a signal at once, and one after every change that has settled. The signal does not
name the changed files: the ledger knows which documents are new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["changes"]

SETTLED_MILLISECONDS: Final = 1_000
"""A change is signalled when no other followed for so long, so that a copy of a file is complete."""


def changes(paths: Sequence[str]) -> Iterator[None]:
    """Yield now, and after every change; ends with Ctrl-C. No change between two signals is missed.

    A path that does not exist yet is watched through its folder.
    """
    from watchfiles import watch

    watched = {path if path.is_dir() else path.parent for path in map(Path, paths)}
    change_sets = watch(
        *watched,
        step=SETTLED_MILLISECONDS,
        debounce=10 * SETTLED_MILLISECONDS,
        rust_timeout=SETTLED_MILLISECONDS,
        yield_on_timeout=True,
    )
    with suppress(KeyboardInterrupt):
        for number, changed in enumerate(change_sets):
            if changed or number == 0:
                yield
