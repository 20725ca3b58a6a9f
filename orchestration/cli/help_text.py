"""The parts of `--help` that commands share: the panels that group them, and examples."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperGroup

__all__ = [
    "COPIES",
    "DOCUMENTS",
    "HOST",
    "INDEX",
    "INGEST",
    "MODELS",
    "SEARCH",
    "CommandsByPanel",
    "example",
]

INGEST: Final = "Ingest documents"
SEARCH: Final = "Search"
DOCUMENTS: Final = "Documents and failures"
HOST: Final = "Background host"
INDEX: Final = "Index maintenance"
COPIES: Final = "Exports and backups"
MODELS: Final = "Models and measurements"

PANELS: Final = (INGEST, SEARCH, DOCUMENTS, HOST, INDEX, COPIES, MODELS)
"""In the order of `medkg --help`, which is that of a newcomer's needs."""


class CommandsByPanel(TyperGroup):
    """Lists commands in the order of their panels; Typer alone would list all groups last."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict(sorted(self.commands.items(), key=lambda item: _position(item[1])))


def _position(command: object) -> int:
    return PANELS.index(vars(command)["rich_help_panel"])


def example(*commands: str) -> str:
    """The end of a command's help: command lines to try, one per line."""
    return "\n\n".join([f"Example: {commands[0]}", *commands[1:]])
