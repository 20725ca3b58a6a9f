"""Finds words that a reader of Dagster's, Ray's or Haystack's docs would have to translate.

Comes in: files or folders (default: all tracked Python, Markdown, YAML files and Makefiles) and the word list
plain_language.toml beside this file. Leaves: one line per finding with the word to use, a count, and exit
code 1; or exit code 0. In Python it reads comments, docstrings, strings and identifiers; elsewhere the whole
text. Part of `make lint`.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
WORD_LIST: Final = Path(__file__).with_suffix(".toml")
SUFFIXES: Final = (".py", ".md", ".yaml", ".yml")
PART_OF_A_NAME: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
REPLACEMENT_FIELD: Final = re.compile(r"\{[^{}]*\}")
CODE: Final = "\x00"
"""Stands for code in the text that is searched, so that no pattern matches across it."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One word that has a plainer one."""

    path: str
    line: int
    word: str
    use: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.word}'; use: {self.use}"


@dataclass(frozen=True)
class Word:
    """A pattern of prose, and what to write instead."""

    pattern: str
    use: str
    reason: str
    in_names: bool = True
    """Whether identifiers are read for it too."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        return re.compile(r"\b" + f"(?:{self.pattern})".replace(" ", r"\s+") + r"\b", re.IGNORECASE)


@dataclass(frozen=True)
class Exemption:
    """Files (a glob of their path in the repository) in which some words are right."""

    files: str
    words: re.Pattern[str]

    def covers(self, finding: Finding) -> bool:
        return fnmatch(finding.path, self.files) and bool(self.words.fullmatch(finding.word))


@dataclass(frozen=True, eq=False)
class WordList:
    """The contents of plain_language.toml."""

    words: tuple[Word, ...]
    variables: dict[str, str]
    exemptions: tuple[Exemption, ...]

    @classmethod
    def load(cls, path: Path = WORD_LIST) -> WordList:
        """Reads a word list; raises TypeError, KeyError or re.error for a malformed entry."""
        entries: dict[str, list[dict[str, Any]]] = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            words=tuple(Word(**entry) for entry in entries["word"]),
            variables={name: e["use"] for e in entries["variable"] for name in e["names"]},
            exemptions=tuple(
                Exemption(e["files"], re.compile(_pattern_with_reason(e), re.IGNORECASE))
                for e in entries.get("except", ())
            ),
        )

    @cache  # noqa: B019 - one list per process, and names repeat
    def instead_of_name(self, name: str) -> tuple[str, ...]:
        """What to use instead of the words in an identifier."""
        words = " ".join(PART_OF_A_NAME.split(name)).strip()
        return tuple(word.use for word in self.words if word.in_names and word.regex.search(words))


def _pattern_with_reason(entry: dict[str, Any]) -> str:
    if not entry["reason"]:
        raise ValueError(f"the exception for {entry['files']} has no reason; write one")
    return str(entry["pattern"]).replace(" ", r"\s+")


def findings(text: str, path: str, word_list: WordList) -> list[Finding]:
    """All findings of one file, ordered by line; raises SyntaxError for a .py file that is not Python."""
    if path.endswith(".py"):
        candidates = {
            *_in_prose(_prose_of_python(text), path, word_list),
            *_in_names(text, path, word_list),
            *_in_variables(text, path, word_list),
        }
    else:
        candidates = set(_in_prose(text, path, word_list))
    return sorted(
        finding
        for finding in candidates
        if not any(exemption.covers(finding) for exemption in word_list.exemptions)
    )


def _in_prose(prose: str, path: str, word_list: WordList) -> Iterator[Finding]:
    for word in word_list.words:
        for match in word.regex.finditer(prose):
            matched = " ".join(match[0].split())
            yield Finding(path, prose.count("\n", 0, match.start()) + 1, matched, word.use)


def _in_names(source: str, path: str, word_list: WordList) -> Iterator[Finding]:
    """Identifiers, read as the words that they are made of."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            for use in word_list.instead_of_name(token.string):
                yield Finding(path, token.start[0], token.string, use)


def _in_variables(source: str, path: str, word_list: WordList) -> Iterator[Finding]:
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        else:
            continue
        if name.strip("_") in word_list.variables:
            yield Finding(path, node.lineno, name, word_list.variables[name.strip("_")])


def _prose_of_python(source: str) -> str:
    """Masks all but the comments and strings of a file; offsets and lines stay."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    prose = [character if character.isspace() else CODE for character in source]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            start = starts[token.start[0] - 1] + token.start[1]
            prose[start : start + len(token.string)] = _text_of(token)
    return "".join(prose)


def _text_of(token: tokenize.TokenInfo) -> str:
    """Blanks the marks of a comment or string and the expressions of an f-string; the length stays."""
    text = token.string
    if token.type == tokenize.COMMENT:
        return text.replace("#", " ")
    prefix = re.match(r"[A-Za-z]*", text)
    size = prefix.end() if prefix else 0
    body = text[size:].replace('"', " ")
    if "f" in text[:size].lower():
        body = REPLACEMENT_FIELD.sub(lambda match: CODE * len(match[0]), body)
    return " " * size + body.replace("\\n", "  ")


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths or [ROOT]:
        if path.is_dir():
            tracked = subprocess.run(
                ["git", "ls-files", "-z", "--", "."], cwd=path, check=True, capture_output=True, text=True
            ).stdout.split("\0")
            yield from (path / name for name in sorted(tracked) if _is_prose(Path(name)))
        else:
            yield path


def _is_prose(path: Path) -> bool:
    return path.suffix in SUFFIXES or path.name == "Makefile"


def _within_the_repository(path: Path) -> str:
    absolute = path.resolve()
    return str(absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else path)


def main(arguments: Sequence[str]) -> int:
    """Print the findings of the files or folders named; returns the exit code."""
    word_list = WordList.load()
    total = 0
    for path in _files([Path(argument) for argument in arguments]):
        if path.exists():
            for finding in findings(
                path.read_text(encoding="utf-8"), _within_the_repository(path), word_list
            ):
                total += 1
                sys.stdout.write(f"{finding}\n")
    if total:
        sys.stdout.write(
            f"{total} words to replace; the list and its exceptions: ops/checks/{WORD_LIST.name}\n"
        )
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
