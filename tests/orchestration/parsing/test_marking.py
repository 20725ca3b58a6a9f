"""Marks in values: taken out of every text, and exact about where the value stands."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_payload
from orchestration.parsing.marking import Marks
from orchestration.parsing.tables import simple_grid
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, Document


class _Parser:
    format = "toy"
    version = "1"


def built(builder: DocumentBuilder) -> Document:
    return builder.build(a_payload("x", "toy"), "default", _Parser())


def shown(document: Document) -> list[tuple[str, str]]:
    return [
        (each.annotation_id, document.text[each.start_char : each.end_char]) for each in document.annotations
    ]


def test_a_value_is_annotated_where_the_text_shows_it() -> None:
    marks = Marks()
    builder = DocumentBuilder(marks)
    builder.title("Walking")
    drug = marks.mark(
        "Aspirin  plus", "drug", "drug-0", of="arm-0", identifiers=["MESH:D001241"], type="DRUG"
    )
    builder.lines(BlockKind.REGISTRY_FIELD, ["Arm: A", f"Drug: {drug}; daily"])
    document = built(builder)
    assert document.text == "Walking\n\nArm: A\nDrug: Aspirin plus; daily"
    (annotation,) = document.annotations
    assert document.text[annotation.start_char : annotation.end_char] == "Aspirin plus"
    assert (annotation.kind, annotation.of, annotation.identifiers, annotation.attributes) == (
        "drug",
        "arm-0",
        ("MESH:D001241",),
        {"type": "DRUG"},
    )


def test_marks_leave_titles_headings_tables_cells_and_references() -> None:
    marks = Marks()
    builder = DocumentBuilder(marks)
    word = {name: marks.mark(name, "word", name) for name in ("title", "heading", "caption", "cell", "note")}
    builder.title(word["title"])
    with builder.section(word["heading"]):
        builder.table(
            simple_grid([["A", word["cell"]], ["1", word["heading"]]]),
            label="Table 1",
            caption=word["caption"],
            notes=[word["note"]],
        )
    builder.reference(word["title"])
    document = built(builder)
    assert shown(document) == [(name, name) for name in ("title", "heading", "caption", "cell", "note")]
    assert document.title == document.references[0].text == "title"
    assert document.sections[1].title == "heading"
    assert document.sections[1].title_path == ("heading",)
    assert (document.tables[0].caption, document.tables[0].rows) == (
        "caption",
        (("A", "cell"), ("1", "heading")),
    )
    assert "\ufdd0" not in document.model_dump_json() and "\ufdd1" not in document.model_dump_json()


def test_the_first_place_of_a_value_counts() -> None:
    marks = Marks()
    builder = DocumentBuilder(marks)
    arm = marks.mark("Placebo", "arm", "arm-0")
    builder.lines(BlockKind.PARAGRAPH, [f"{arm} versus drug", f"{arm} again"])
    document = built(builder)
    assert document.text == "Placebo versus drug\nPlacebo again"
    assert [(each.start_char, each.end_char) for each in document.annotations] == [(0, 7)]
    assert marks.not_written() == []


def test_of_a_value_of_several_lines_the_first_is_annotated() -> None:
    marks = Marks()
    builder = DocumentBuilder(marks)
    value = marks.mark("Sleep duration\nby diary", "outcome", "outcome-0")
    builder.lines(BlockKind.OUTCOME, f"Primary outcome: {value}".split("\n"))
    document = built(builder)
    assert document.text == "Primary outcome: Sleep duration\nby diary"
    assert shown(document) == [("outcome-0", "Sleep duration")]


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_value_gets_no_mark(value: str) -> None:
    marks = Marks()
    assert marks.mark(value, "word", "word-0") == value
    assert marks.not_written() == []


def test_values_that_nothing_shows_are_named() -> None:
    marks = Marks()
    marks.mark("unseen", "word", "word-0")
    assert marks.not_written() == ["word-0"]


def test_the_same_characters_in_a_record_are_no_marks() -> None:
    marks = Marks()
    builder = DocumentBuilder(marks)
    known = marks.mark("Aspirin", "drug", "drug-0")
    builder.block(BlockKind.PARAGRAPH, f"\ufdd00\ufdd1Poison\ufdd20\ufdd1 and {known}")
    assert shown(built(builder)) == [("drug-0", "Aspirin")]
