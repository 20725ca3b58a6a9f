"""Finds names in the documentation that the repository does not have. Part of `make lint`.

Comes in: Markdown files (default: all tracked ones). Leaves: one line per finding and exit code 1, or exit
code 0. Checked are links with their anchors, paths, modules with their attributes, `medkg` commands with
their options, make targets, MEDKG_ variables and error codes. A path with a part in capitals (FOLDER/x.py) is
a placeholder.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import typer

from orchestration.cli.main import app
from orchestration.errors import errors_by_code
from orchestration.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("", "orchestration", "gpu_actors", "medkg", "docs", "tests", "tests/orchestration")
"""Folders that a path in the documentation may start from, besides the page's own."""
LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
PATH: Final = re.compile(r"(?<![\w./:<*-])((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|toml))(?![\w/*<:-])")
TOP: Final = "orchestration|gpu_actors|medkg|benchmarks|demo|ops|tests|topologies"
MODULE: Final = re.compile(rf"(?<![\w./-])((?:{TOP})(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?)(?<!\.v\d)(?![\w/])")
"""The version of a topic (`orchestration.events.v1`) is no module."""
COMMAND: Final = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?medkg((?: +[a-z][a-z-]*)+|(?= +-))([^`|\n;#]*)")
GLOBAL_OPTION: Final = re.compile(r" --(?:data-dir|profile|tenant)[ =]\S+")
OPTION: Final = re.compile(r"(?<!\S)(--[a-z][a-z-]*)")
TARGET: Final = re.compile(r"(?:^    |`)make ([a-z][a-z-]*)", re.MULTILINE)
PLACEHOLDER: Final = re.compile(r"(?!README|CHANGELOG|CONTRIBUTING)[A-Z]{3,}(\.\w+)?")
VARIABLE: Final = re.compile(r"\bMEDKG_([A-Z][A-Z_]+)\b")
CODE: Final = re.compile(r"\bMEDKG-(\d{3})\b")
CODE_TEXT: Final = re.compile(r"`[^`\n]+`|^ {4,}.*$", re.MULTILINE)
FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A name that the repository does not have."""

    page: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.problem}"


def findings(text: str, page: Path) -> list[Finding]:
    """The names of one page that do not exist, ordered by line."""
    problems = {
        Finding(str(page), text.count("\n", 0, position) + 1, problem)
        for check in CHECKS
        for position, problem in check(text, page)
    }
    return sorted(problems)


def _links(text: str, page: Path) -> Iterator[tuple[int, str]]:
    for match in LINK.finditer(text):
        target = (ROOT / page).parent / match[1] if match[1] else ROOT / page
        if not target.exists():
            yield match.start(), f"the link to {match[1]} leads nowhere"
        elif match[2] and match[2] not in _anchors(target):
            yield match.start(), f"{match[1] or page} has no heading #{match[2]}"


@cache
def _anchors(page: Path) -> frozenset[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def _paths(text: str, page: Path) -> Iterator[tuple[int, str]]:
    for span in CODE_TEXT.finditer(FENCE.sub(_blanked, text)):
        if not span[0].startswith("`"):
            continue
        for match in PATH.finditer(span[0]):
            if _names_the_repository(match[1]) and not _exists(match[1], page):
                yield span.start(), f"there is no {match[1]}"


def _names_the_repository(path: str) -> bool:
    parts = path.split("/")
    if parts[0] == ".." or any(PLACEHOLDER.fullmatch(part) for part in parts):
        return False
    if path.rstrip("/") in _names_in_the_wheel():
        return False
    if len(parts) == 1 or parts[0] in TOP.replace("medkg|", "").split("|"):
        return True
    is_file_or_folder = not parts[-1] or "." in parts[-1]  # others are tags and asset keys: `medkg/job`
    return is_file_or_folder and any((ROOT / folder / parts[0]).is_dir() for folder in FOLDERS)


def _exists(path: str, page: Path) -> bool:
    if "/" not in path:
        return path in _file_names()
    starts = [ROOT / folder for folder in FOLDERS] + [(ROOT / page).parent]
    return any((start / path).exists() for start in starts)


@cache
def _tracked() -> tuple[str, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return tuple(listing.stdout.split("\0"))


@cache
def _file_names() -> frozenset[str]:
    return frozenset(path.rsplit("/", 1)[-1] for path in _tracked())


def _modules(text: str, page: Path) -> Iterator[tuple[int, str]]:
    for match in MODULE.finditer(text):
        if match[1].rsplit(".", 1)[-1] not in ("md", "py", "toml", "yaml", "json") and not _module_exists(
            match[1]
        ):
            yield match.start(), f"there is no module or name {match[1]}"


@cache
def _module_exists(name: str) -> bool:
    """Whether the longest part that is a module, or its package, has the rest as a name in its text."""
    if name in _entry_point_groups():
        return True
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:size])
        module = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if module.is_file() or path.is_dir():
            rest = parts[size:]
            source = module.read_text(encoding="utf-8") if module.is_file() else ""
            return not rest or bool(re.search(rf"\b{re.escape(rest[0])}\b", source))
    return False


@cache
def _entry_point_groups() -> frozenset[str]:
    return frozenset(_pyproject()["project"]["entry-points"])


@cache
def _names_in_the_wheel() -> frozenset[str]:
    """Folders that have another name in a wheel than in the repository."""
    return frozenset(_pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"].values())


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _commands(text: str, _page: Path) -> Iterator[tuple[int, str]]:
    for span in [*CODE_TEXT.finditer(text), *FENCE.finditer(text)]:
        for match in COMMAND.finditer(GLOBAL_OPTION.sub(_blanked, span[0])):
            command, path = _command_tree(), "medkg"
            for word in match[1].split():
                if not hasattr(command, "commands"):
                    break
                if word not in command.commands:
                    yield span.start() + match.start(), f"there is no command {path} {word}"
                    break
                command, path = command.commands[word], f"{path} {word}"
            known = {
                name for part in (_command_tree(), command) for option in part.params for name in option.opts
            }
            for option in OPTION.findall(match[2]):
                if option not in known and option not in ("--help", "--version"):
                    yield span.start() + match.start(), f"{path} has no option {option}"


@cache
def _command_tree() -> Any:
    return typer.main.get_command(app)


def _targets(text: str, _page: Path) -> Iterator[tuple[int, str]]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for match in TARGET.finditer(text):
        if not re.search(rf"^{re.escape(match[1])}:", makefile, re.MULTILINE):
            yield match.start(), f"there is no task make {match[1]}"


def _variables(text: str, _page: Path) -> Iterator[tuple[int, str]]:
    for match in VARIABLE.finditer(text):
        if match[1].lower() not in Settings.model_fields and not match[1].startswith("TEST_"):
            yield match.start(), f"there is no setting MEDKG_{match[1]}"


def _codes(text: str, _page: Path) -> Iterator[tuple[int, str]]:
    for match in CODE.finditer(text):
        if match[0] not in _error_codes():
            yield match.start(), f"there is no error {match[0]}"


@cache
def _error_codes() -> frozenset[str]:
    return frozenset(errors_by_code())


def _blanked(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


CHECKS: Final[tuple[Callable[[str, Path], Iterator[tuple[int, str]]], ...]] = (
    _links,
    _paths,
    _modules,
    _commands,
    _targets,
    _variables,
    _codes,
)


def main(arguments: Sequence[str]) -> int:
    """Print the findings of the pages named; returns the exit code."""
    pages = [Path(argument).resolve() for argument in arguments]
    pages = pages or [ROOT / path for path in _tracked() if path.endswith(".md")]
    total = 0
    for page in pages:
        for finding in findings(page.read_text(encoding="utf-8"), page.relative_to(ROOT)):
            total += 1
            sys.stdout.write(f"{finding}\n")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
