"""Writes docs/reference from the code that it describes: settings, errors, commands, metrics.

Comes in: the settings' model, the tree of errors, the `medkg` command and the registry of metrics. Leaves:
settings.md, errors.md, cli.md and metrics.md; with --check nothing but exit code 1 when a page is not what
the code says. `make reference` writes them, `make lint` checks them.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from ops.metrics_page import INTRODUCTION, metrics_tables
from orchestration.cli.main import app
from orchestration.errors import ExitCode, MedkgError, PermanentError, TransientError, UnavailableError
from orchestration.settings import Settings

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "reference"
WIDTH: Final = 118
SHELL_OPTIONS: Final = ("install_completion", "show_completion")
SETTINGS_INTRODUCTION: Final = """
    Each is an environment variable. `--data-dir`, `--profile` and `--tenant` override theirs on the command
    line. A value that is out of bounds ends the command with exit code 2 (MEDKG-101). AWS_* variables go with
    s3:// addresses as usual.
    """
ERRORS_INTRODUCTION: Final = """
    A code is stable and never reused; logs, dead letters and JSON carry it. A message names the thing, the
    cause and the next step; this page lists cause and next step per code. `medkg dlq list` shows the codes of
    what failed.
    """
COMMANDS_INTRODUCTION: Final = """
    `--json` prints the answer as JSON on stdout; everything else goes to stderr. The global options may stand
    before or after the command's name. Exit codes: [errors](errors.md#exit-codes). Ways to use them:
    [tutorial](../tutorial.md).
    """
HUNDREDS: Final = {
    "0": "Without a code",
    "1": "1xx usage and configuration",
    "2": "2xx documents",
    "3": "3xx stages",
    "4": "4xx services",
    "5": "5xx ledger and stores",
    "9": "9xx hardware",
}
KINDS: Final = {
    TransientError: "transient: tried again under the policy; a document that still fails is a dead letter",
    PermanentError: "permanent: not tried again; a document that fails with it is a dead letter",
    UnavailableError: "unavailable: costs no attempt; the stage waits, then its documents are queued again",
}
EXIT_CODES: Final = {
    ExitCode.OK: "All is well.",
    ExitCode.SOME_FAILED: "Some documents failed, or stores differ.",
    ExitCode.USAGE: "Wrong usage or configuration.",
    ExitCode.UNAVAILABLE: "A needed service is unreachable; the documents stay queued.",
    ExitCode.NO_GPU: "The profile needs a GPU and there is no usable one.",
    ExitCode.INTERRUPTED: "Interrupted (Ctrl-C); the same command continues.",
}


def settings_page() -> str:
    """All MEDKG_ variables in the order of the settings' model."""
    schema = Settings.model_json_schema()["properties"]
    rows = [
        f"| `MEDKG_{name.upper()}` | {_kind_of(schema[name])} | {_default_of(schema[name])} "
        f"| {_bound_of(schema[name])} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            *_head("Settings", "orchestration/settings.py", SETTINGS_INTRODUCTION),
            "| variable | type | default | bound | meaning |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _head(title: str, source: str, introduction: str) -> list[str]:
    mark = f"<!-- Generated from {source} by `make reference`; `make lint` checks that it is fresh. -->"
    return [f"# {title}", "", mark, "", *_wrapped(introduction), ""]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]


def _kind_of(schema: dict[str, Any]) -> str:
    (kind, *_rest) = _alternatives(schema)
    if kind.get("type") == "array":
        return "JSON list of strings"
    if kind.get("type") == "object":
        return "JSON object of numbers"
    if kind.get("writeOnly"):
        return "secret"
    if kind.get("format") == "path":
        return "path"
    return str({"string": "text", "integer": "whole number", "number": "number"}[kind["type"]])


def _default_of(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}) else f"`{default}`"


def _bound_of(schema: dict[str, Any]) -> str:
    (kind, *_rest) = _alternatives(schema)
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    bounds = [
        f"{sign} {kind[key]:,}"
        for key, sign in {
            "minimum": "≥",
            "exclusiveMinimum": ">",
            "maximum": "≤",
            "exclusiveMaximum": "<",
        }.items()
        if key in kind
    ]
    if "propertyNames" in kind:
        bounds.append("keys: " + ", ".join(f"`{name}`" for name in kind["propertyNames"]["enum"]))
    if "pattern" in kind:
        bounds.append(f"`{_cell(kind['pattern'])}`")
    return ", ".join(bounds)


def errors_page() -> str:
    """All errors with a code, in the order of their codes; then the exit codes."""
    lines = [
        *_head("Errors", "orchestration/errors.py", ERRORS_INTRODUCTION),
    ]
    section = ""
    for kind in sorted(_errors_with_codes(MedkgError), key=lambda error: error.code):
        if (title := HUNDREDS[kind.code.removeprefix("MEDKG-")[0]]) != section:
            section = title
            lines += [f"## {section}", ""]
        lines += [*_error_section(kind), ""]
    lines += ["## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join([*lines, ""])


def _errors_with_codes(kind: type[MedkgError]) -> Iterator[type[MedkgError]]:
    if "code" in vars(kind):
        yield kind
    for subclass in kind.__subclasses__():
        yield from _errors_with_codes(subclass)


def _error_section(kind: type[MedkgError]) -> list[str]:
    cause, next_step = cause_and_next_step(kind)
    treatment = "ends the command before anything starts"
    if kind.exit_code != ExitCode.USAGE:
        treatment = next((text for base, text in KINDS.items() if issubclass(kind, base)), "ends the command")
    return [
        f"### {kind.code} {kind.__name__}",
        "",
        *_wrapped(cause + (f" **Do:** {next_step}" if next_step else "")),
        "",
        *_wrapped(f"*{treatment}; exit code {kind.exit_code}.*"),
    ]


def cause_and_next_step(kind: type[MedkgError]) -> tuple[str, str]:
    """The two parts of an error's docstring: its first sentence, and the rest ('' where there is none)."""
    text = " ".join((vars(kind)["__doc__"] or "").split())
    parts = re.split(r"(?<=\.)\s+(?=[A-Z`])", text, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def commands_page() -> str:
    """Every command with its arguments, options and examples, in the order of `medkg --help`."""
    command = typer.main.get_command(app)
    lines = [
        *_head("Commands", "orchestration/cli", COMMANDS_INTRODUCTION),
        "## Global options",
        "",
        *_options(command),
        "",
    ]
    for path, subcommand in _leaves(command, "medkg"):
        lines += [f"## {path}", "", *_wrapped((subcommand.help or "").replace("\b", "")), ""]
        lines += [*_options(subcommand), ""]
        if subcommand.epilog:
            lines += ["Example:", "", *_example(subcommand.epilog), ""]
    return "\n".join(lines)


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, subcommand in command.commands.items():
        if hasattr(subcommand, "commands"):
            yield from _leaves(subcommand, f"{path} {name}")
        else:
            yield f"{path} {name}", subcommand


def _options(command: Any) -> list[str]:
    context = command.context_class(command, info_name=command.name)
    records = [
        record
        for option in command.params
        if option.name not in SHELL_OPTIONS and (record := option.get_help_record(context))
    ]
    if not records:
        return ["No options."]
    return [
        "| argument or option | meaning |",
        "| --- | --- |",
        *(f"| `{_cell(name)}` | {_cell(meaning)} |" for name, meaning in records),
    ]


def _example(epilog: str) -> list[str]:
    text = epilog.replace("\b", "").strip()
    commands = [line.strip().removeprefix("Example:").strip() for line in text.splitlines() if line.strip()]
    return [f"    {command}" for command in commands if command]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def metrics_page() -> str:
    """All metrics of `/metrics`, in the order of the registry."""
    return "\n".join([*_head("Metrics", "orchestration/metrics/names.py", INTRODUCTION), *metrics_tables()])


PAGES: Final = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "cli.md": commands_page,
    "metrics.md": metrics_page,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check compare them; returns the exit code."""
    stale = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.stdout.write(f"docs/reference: {', '.join(stale)} is not what the code says: make reference\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
