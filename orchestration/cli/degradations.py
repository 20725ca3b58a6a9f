"""What is degraded, for a person: the thing with its cause on one line, the next step on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.markup import escape

from orchestration.cli.output import console

__all__ = ["show_degraded"]


def show_degraded(degraded: Sequence[Mapping[str, Any]]) -> None:
    """Print each degradation; nothing where there is none."""
    for each in degraded:
        since = f" since {_moment(each['since'])}" if each["since"] else ""
        console.print(
            f"[bold yellow]degraded[/] {escape(each['subject'])}{since}: {escape(each['cause'])}",
            soft_wrap=True,
        )
        console.print(f"         {escape(each['next_step'])}", soft_wrap=True)


def _moment(seconds: float) -> str:
    """Local time, with the date unless it is today's."""
    moment, now = datetime.fromtimestamp(seconds).astimezone(), datetime.now().astimezone()
    return f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}"
