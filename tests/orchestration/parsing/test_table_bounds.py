"""Records that ask for more than they are: spans, groups and texts that repeat."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from medkg.testing.builders import a_payload, a_study, an_article
from medkg.testing.document_checks import assert_sound
from orchestration.contracts import Parser
from orchestration.errors import DocumentTooLargeError
from orchestration.parsing import tables, text_builder
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.tables import Cell, lay_out, simple_grid
from orchestration.records import Document


def parsed(parser: Parser, content: bytes) -> Document:
    return parser.parse(a_payload(content, parser.format, doc_id="1"), "default")


def a_table(rows: str) -> str:
    return f"<table-wrap><table>{rows}</table></table-wrap>"


def test_spans_that_ask_for_more_than_the_bounds_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 100)
    grid = lay_out([[Cell("a", column_span=50)], [Cell("b", column_span=60), Cell("c")]], 0)
    assert grid.rows == (("a", ""), ("b", "c"))


def test_a_long_text_is_not_repeated_beyond_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CHARACTERS", 1000)
    long = "x" * 100
    assert lay_out([[Cell(long, column_span=11)]], 0).rows == ((long,),)
    assert lay_out([[Cell(long, column_span=10)]], 0).rows == ((long,) * 10,)


def test_a_row_span_counts_for_the_rows_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 4)
    grid = lay_out([[Cell("a", row_span=200), Cell("b")], [Cell("c")]], 0)
    assert grid.rows == (("a", "b"), ("a", "c"))


def test_a_grid_takes_no_more_rows_than_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 10)
    rows = iter([["cell"] * 5] * 100)
    with pytest.raises(DocumentTooLargeError, match="more than 10 cells"):
        simple_grid(rows)
    assert len(list(rows)) == 97


def test_one_wide_row_does_not_widen_many_beyond_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 1000)
    with pytest.raises(DocumentTooLargeError):
        simple_grid([["x"] * 100, *(["x"] for _ in range(50))])


def test_an_article_of_many_repeating_tables_is_too_large_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_builder, "MAX_CHARACTERS", 100_000)
    table = a_table('<tr><td colspan="200">x</td></tr>')
    assert_sound(parsed(JatsParser(), an_article(table * 20)))
    with pytest.raises(DocumentTooLargeError, match="/corpus/record: the record makes"):
        parsed(JatsParser(), an_article(table * 40))


def test_a_small_file_of_spans_costs_little_memory() -> None:
    row = "<tr>" + '<td colspan="200" rowspan="200">a text of some length</td>' * 100 + "</tr>"
    article = an_article(a_table(row + "<tr><td>x</td></tr>" * 500) * 3)
    tracemalloc.start()
    assert_sound(parsed(JatsParser(), article))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_a_study_of_many_groups_and_categories_is_too_large_and_named() -> None:
    groups = [{"id": f"G{number}", "title": "group"} for number in range(3000)]
    measure = {"title": "m", "groups": groups, "classes": [{"categories": [{"title": "c"}] * 3000}]}
    study = a_study("NCT00000001")
    study["resultsSection"] = {"outcomeMeasuresModule": {"outcomeMeasures": [measure]}}
    with pytest.raises(DocumentTooLargeError, match="/corpus/record: a table of the record"):
        parsed(ClinicalTrialsParser(), json.dumps(study).encode())


def test_a_pipe_in_a_cell_begins_no_cell_of_its_line() -> None:
    grid = simple_grid([["Measure", "Arm A | 10 mg", "Arm B"], ["Steps", "7", "8|9"]])
    assert grid.lines() == [r"Measure | Arm A \| 10 mg | Arm B", r"Steps | 7 | 8\|9"]
    assert grid.rows[0][1] == "Arm A | 10 mg"
