"""graph.yaml: checked where it is read, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.topology.shipped import shipped_folder

KINDS = "kinds:\n  Drug: {biolink: Drug}\n  Condition: {biolink: Disease}\n"


def written(folder: Path, content: str) -> Path:
    (folder / "graph.yaml").write_text(content, encoding="utf-8")
    return folder


def test_a_predicate_joins_the_kinds_that_it_names(tmp_path: Path) -> None:
    predicates = "predicates:\n  treats: {biolink: treats, joins: [[Drug, Condition]]}\n"
    schema = load_graph_schema(written(tmp_path, KINDS + predicates))
    assert schema.allows("Drug", "treats", "Condition")
    assert not schema.allows("Condition", "treats", "Drug")
    assert not schema.allows("Drug", "causes", "Condition")


def test_the_version_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    predicates = "predicates:\n  treats: {biolink: treats, joins: [[Drug, Condition]]}\n"
    version = load_graph_schema(written(tmp_path, KINDS + predicates)).version
    assert load_graph_schema(written(tmp_path, f"# a remark\n{KINDS}\n{predicates}")).version == version
    other = predicates.replace("biolink: treats", "biolink: affects")
    assert load_graph_schema(written(tmp_path, KINDS + other)).version != version


def test_models_look_for_what_the_file_marks_as_prose(tmp_path: Path) -> None:
    kinds = "kinds:\n  Drug: {biolink: Drug, prose: true}\n  Arm: {biolink: Cohort}\n"
    predicates = (
        "predicates:\n  affects: {biolink: affects, prose: true, joins: [[Drug, Drug]]}\n"
        "  receives: {biolink: related_to, joins: [[Arm, Drug]]}\n"
    )
    schema = load_graph_schema(written(tmp_path, kinds + predicates))
    assert list(schema.prose_kinds) == ["Drug"]
    assert list(schema.prose_predicates) == ["affects"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (KINDS + "predicates:\n  treats: {biolink: treats, joins: [[Drugs, Condition]]}\n",
         r"graph.yaml:5: .*'Drugs', which is not a kind; kinds: Drug, Condition.*Drug"),
        (KINDS + "predicates:\n  treats: {biolink: treats, joins: []}\n", r"graph.yaml:5"),
        (KINDS + "predicates:\n  treats: {joins: [[Drug, Condition]]}\n", r"graph.yaml:5: .*biolink"),
        ("kinds:\n  drug: {biolink: Drug}\npredicates: {}\n", r"graph.yaml:2"),
        ("kinds: {}\npredicates: {}\n", r"graph.yaml:1"),
        ("", r"graph.yaml:1: the file is empty"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_graph_schema(written(tmp_path, content))


def test_a_folder_without_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"graph\.yaml cannot be read"):
        load_graph_schema(tmp_path)


def test_the_shipped_schema_is_valid() -> None:
    schema = load_graph_schema(shipped_folder())
    assert {"Trial", "Condition", "Drug"} <= schema.kinds.keys()
    assert all(predicate.description for predicate in schema.predicates.values())
