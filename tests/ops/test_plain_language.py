"""The word list's check: finds the words where they stand, names what to use, and nothing else."""

import tomllib
from pathlib import Path

import pytest

from ops.checks.plain_language import WORD_LIST, WordList, findings, main

LIST = WordList.load()


def words(text: str, path: str = "room/module.py") -> list[tuple[int, str]]:
    return [(finding.line, finding.word) for finding in findings(text, path, LIST)]


def test_docstrings_comments_and_strings_are_read_with_their_lines() -> None:
    assert words('"""Tells the rows."""\n\nRULE = "it is anew"  # nobody reads this\n') == [
        (1, "Tells"),
        (3, "anew"),
        (3, "nobody"),
    ]


def test_a_phrase_is_found_over_the_end_of_a_line_of_docstrings_comments_strings_and_markdown() -> None:
    assert words('"""A process of its\nown."""\n') == [(1, "of its own")]
    assert words("# the server is\n# away\nX = 1\n") == [(1, "is away")]
    assert words('raise E("the server is " "away")\n') == [(1, "is away")]
    assert words("The server is\naway.\n", "docs/page.md") == [(1, "is away")]


def test_a_phrase_is_not_put_together_from_two_arguments_or_from_code() -> None:
    assert words('f("is", "away")\n') == []
    assert words('f(f"is {server} away")\n') == []


def test_identifiers_are_read_as_the_words_they_are_made_of() -> None:
    assert words("def test_what_is_told():\n    tellRows()\n    retell()\n") == [
        (1, "test_what_is_told"),
        (2, "tellRows"),
    ]


def test_variables_and_parameters_that_do_not_name_what_they_hold_are_found_where_they_are_bound() -> None:
    source = (
        "def count(asked):\n    found = len(asked)\n    for there in range(found):\n        yield there\n"
    )
    assert words(source) == [(1, "asked"), (2, "found"), (3, "there")]


def test_attributes_keys_and_prose_may_be_called_found_or_one() -> None:
    assert words('"""The one that is found."""\nrow.found = row["one"]\n') == []


@pytest.mark.parametrize(
    "plain",
    [
        '"""Returns one outcome per document, in order."""\n',
        '"""Tells a study and an article apart."""\n',
        "class HaystackSparseExpander: ...\n",
        "def test_without_a_gate_a_topology_is_one_phase(): ...\n",
    ],
)
def test_plain_sentences_pass(plain: str) -> None:
    assert words(plain) == []


def test_every_entry_has_a_replacement_and_a_reason_and_every_exception_a_reason() -> None:
    entries = tomllib.loads(WORD_LIST.read_text(encoding="utf-8"))
    assert all(entry["use"] and entry["reason"] for entry in entries["word"])
    assert all(entry["use"] for entry in entries["variable"])
    assert all(len(entry["reason"]) > 10 for entry in entries["except"])


def test_the_command_prints_place_word_and_replacement_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nIt is made anew.\n")
    assert main([str(page)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{page}:3: 'anew'; use: again, or restart, re-create, rebuild"
    assert printed[1].startswith("1 words to replace")


def test_the_command_passes_plain_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nIt is rebuilt.\n")
    assert main([str(page)]) == 0
    assert capsys.readouterr().out == ""
