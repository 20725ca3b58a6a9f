"""`--help`: each command explains itself, its options and how it is called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from orchestration.cli.help_text import PANELS
from orchestration.cli.main import app
from tests.orchestration.stores.data_folder import opened

MEDKG = typer.main.get_group(app)


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, subcommand in command.commands.items():
        if hasattr(subcommand, "commands"):
            yield from leaves(subcommand, f"{path} {name}")
        else:
            yield f"{path} {name}", subcommand


COMMANDS = dict(leaves(MEDKG, "medkg"))


@pytest.mark.parametrize("path", COMMANDS)
def test_each_command_has_help_for_itself_and_its_options_and_ends_with_an_example(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [option.name for option in command.params if option.name != "help" and not option.help] == []
    assert path in command.epilog


def test_commands_are_listed_in_the_order_of_their_panels() -> None:
    commands = list(MEDKG.commands.values())
    panels = [
        command.rich_help_panel for command in commands if isinstance(command, TyperCommand | TyperGroup)
    ]
    assert len(panels) == len(commands)
    assert list(dict.fromkeys(panels)) == list(PANELS)


def test_a_search_by_words_imports_no_model_library(tmp_path: Path) -> None:
    with opened(tmp_path) as data:
        data.ingest({"1": "walking"})
    program = (
        "import sys\n"
        "from orchestration.cli.main import app\n"
        f"arguments = ['--data-dir', {str(tmp_path)!r}, 'search', 'walking', '--legs', 'bm25']\n"
        "app(arguments, standalone_mode=False)\n"
        "heavy = ('torch', 'transformers', 'haystack', 'ray', 'dagster', 'faiss', 'sentence_transformers')\n"
        "print('imported:', [name for name in heavy if name in sys.modules])\n"
    )
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert "walking" in output
    assert output.strip().endswith("imported: []")
