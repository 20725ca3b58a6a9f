"""Finds hand-written retries: loops that catch and sleep, and counters of attempts. Part of `make lint`.

Comes in: Python files or folders (default: the project's). Leaves: one line a finding and exit code 1, or
exit code 0. Retries belong to orchestration.resilience, which composes tenacity; a loop that only looks
like one says so on its first line: `# no-retry-loop: <what it is>`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("orchestration", "gpu_actors", "ops", "benchmarks", "demo", "topologies")

SLEEPS: Final = frozenset({"sleep", "sleep_until", "sleep_forever"})
COUNTERS: Final = re.compile(r"(.*_)?(attempts?|retry|retries|tries|tries_left|retry_count|attempt_number)")
OTHER_RETRIES: Final = frozenset({"max_retries", "max_task_retries", "retries", "num_retries"})
"""Keyword arguments by which libraries retry on their own; ours are to be 0."""
EXEMPTION: Final = re.compile(r"#\s*no-retry-loop:\s*\S")

Loop: TypeAlias = ast.While | ast.For | ast.AsyncFor


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place that retries by hand."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


def findings(source: str, path: str) -> list[Finding]:
    """Every hand-written retry of one file, in order; raises SyntaxError for a file that is not Python."""
    lines = source.splitlines()
    tree = ast.parse(source, path)
    loops = [
        Finding(path, node.lineno, problem)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr)
        for problem in _problems(node)
        if not EXEMPTION.search(lines[node.lineno - 1])
    ]
    return sorted(set(loops))


def _problems(node: ast.AST) -> Iterator[str]:
    if isinstance(node, Loop):
        catches = [
            handler for inner in _inside(node) if isinstance(inner, ast.Try) for handler in inner.handlers
        ]
        if catches and any(_sleeps(inner) for inner in _inside(node)):
            yield "a loop that catches and sleeps; use orchestration.resilience.guard (tenacity)"
        elif _counts(node) and any(_goes_on(handler) for handler in catches):
            yield "a loop that counts attempts and goes on after an error; use orchestration.resilience.guard"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg in OTHER_RETRIES and _is_more_than_zero(keyword.value):
                yield f"{keyword.arg} is not 0: only the stage's policy retries"


def _inside(loop: Loop) -> Iterator[ast.AST]:
    """All that one turn of the loop executes: not its `else`, not functions only defined in it."""
    waiting: list[ast.AST] = [*loop.body, loop.test if isinstance(loop, ast.While) else loop.iter]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _sleeps(node: ast.AST) -> bool:
    """time.sleep(...), anyio.sleep(...), sleep(...), and event.wait(seconds)."""
    if not isinstance(node, ast.Call):
        return False
    name = _name(node.func)
    timed = bool(node.args) or any(keyword.arg == "timeout" for keyword in node.keywords)
    return name in SLEEPS or (name == "wait" and isinstance(node.func, ast.Attribute) and timed)


def _counts(loop: Loop) -> bool:
    names: set[str] = set()
    if not isinstance(loop, ast.While):
        names |= {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    for node in _inside(loop):
        if isinstance(node, ast.AugAssign):
            names.add(_name(node.target))
    return any(COUNTERS.fullmatch(name) for name in names)


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether the loop can turn again after this handler: its last statement does not leave it."""
    return not isinstance(handler.body[-1], ast.Raise | ast.Return | ast.Break)


def _is_more_than_zero(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value in (0, None))


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.py"))
        else:
            yield path


def main(arguments: Sequence[str]) -> int:
    """Print what is found in the files or folders named; returns the exit code."""
    paths = [Path(argument) for argument in arguments] or [ROOT / name for name in FOLDERS]
    loops = [
        finding
        for path in _files([path for path in paths if path.exists()])
        for finding in findings(path.read_text(encoding="utf-8"), str(path))
    ]
    for finding in loops:
        sys.stdout.write(f"{finding}\n")
    return 1 if loops else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
