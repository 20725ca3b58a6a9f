"""The span around a command leaves the command's end as it is."""

from __future__ import annotations

import pytest
import typer

from orchestration.cli.tracing import command_span
from orchestration.errors import UsageError


@pytest.mark.parametrize("command", ["run", "status"])
def test_an_exit_code_and_an_error_pass_through(command: str) -> None:
    with pytest.raises(typer.Exit) as end, command_span(command):
        raise typer.Exit(3)
    assert end.value.exit_code == 3
    with pytest.raises(UsageError), command_span(command):
        raise UsageError("no such document")
