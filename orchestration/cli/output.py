"""Output of commands: tables on a terminal, one JSON document with --json.

stdout carries the answer only; notes, progress and errors go to stderr. A MedkgError ends the command
with its own exit code and its message; with --json the error is a JSON document as well.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from orchestration.disk_space import unwritable_disk
from orchestration.errors import ExitCode, MedkgError, StoreUnwritableError, UsageError
from orchestration.settings import Settings

__all__ = [
    "MOST",
    "AsJson",
    "answer",
    "can_ask",
    "confirmed",
    "console",
    "fail",
    "first_names",
    "note",
    "outstanding",
    "reports_errors",
    "shortened",
    "table",
]

P = ParamSpec("P")
R = TypeVar("R")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NAMES: Final = 5
"""Documents that a plan names."""

WIDTH: Final = 120
"""Characters of a title or id in a table; --json has all of them."""

PLAIN_WIDTH: Final = 160
"""Columns where there is no terminal: tables in logs and pipes are wide instead of folded."""

UNWRITABLE: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EIO,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Errors of the operating system for a path that cannot be written."""

MOST: Final = 1_000_000_000
"""Greatest value of an option that limits a number: databases count no further than 64 bits."""

console = Console(
    highlight=False,
    soft_wrap=not sys.stdout.isatty(),
    width=None if sys.stdout.isatty() else PLAIN_WIDTH,
)
_stderr = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def note(message: str) -> None:
    """Write one line for the user to stderr."""
    _stderr.print(message, markup=False)


def can_ask() -> bool:
    """Whether a user is at the terminal."""
    return sys.stdin.isatty()


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether the user agrees: by --yes, or asked on a terminal; raises UsageError where neither is."""
    if yes:
        return True
    if not can_ask():
        raise UsageError("nothing was changed: this needs --yes where there is no terminal to ask on.")
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def first_names(names: Sequence[str]) -> str:
    """The first NAMES of the names, and how many more there are."""
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def outstanding(stages: Mapping[str, int]) -> str:
    """Documents that lack optional stages, in one line."""
    return "outstanding: " + ", ".join(f"{documents:,} {stage}" for stage, documents in stages.items())


def stderr_console() -> Console:
    """The console that progress is drawn on."""
    return _stderr


def answer(as_json: bool, value: Any, show: Callable[[], None]) -> None:
    """Print `value` as JSON, or call `show` to print it for people."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()
    else:
        show()


def table(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; columns of numbers are right-aligned."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    console.print(drawn)


def shortened(text: str | None, width: int = WIDTH) -> str | None:
    """The text on one line, cut to `width` characters; None stays None."""
    if text is None:
        return None
    line = " ".join(text[: 2 * width].split())
    return line if len(line) <= width and len(text) <= 2 * width else f"{line[: width - 4]} ..."


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value).replace("[", r"\[")


def fail(error: MedkgError, as_json: bool = False) -> NoReturn:
    """End the command with the error's message and exit code."""
    if as_json:
        document = {"error": {"code": error.code, "message": error.message}}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    _stderr.print(f"[bold red]{error.code}[/] ", end="")
    _stderr.print(error.message, markup=False)
    raise typer.Exit(error.exit_code)


def _data_folder(*args: object, **kwargs: object) -> list[Path]:
    """The data folder of a command's context, which is its first argument or named `ctx`."""
    contexts = [value for value in (*args[:1], kwargs.get("ctx")) if isinstance(value, typer.Context)]
    return [context.obj.data_dir for context in contexts if isinstance(context.obj, Settings)]


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a MedkgError, and a full or read-only disk, into message and exit code; Ctrl-C into 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except MedkgError as error:
            fail(error, bool(kwargs.get("as_json")))
        except KeyboardInterrupt:
            _stderr.print("interrupted; nothing is lost, the same command continues.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:  # the reader closed the pipe, as in `medkg docs list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.OK) from None
        except Exception as error:
            full = unwritable_disk(error, *_data_folder(*args, **kwargs))
            if full is not None:
                fail(full, bool(kwargs.get("as_json")))
            if not isinstance(error, OSError) or error.errno not in UNWRITABLE:
                raise
            path = error.filename or "the data folder"
            fail(
                StoreUnwritableError(
                    f"{path} cannot be written: {error.strerror}. Check the free space and the permissions, "
                    "or choose another --data-dir."
                ),
                bool(kwargs.get("as_json")),
            )

    return wrapped
