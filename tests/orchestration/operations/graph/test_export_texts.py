"""Characters that formats cannot hold, and keys as IRIs."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import networkx
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdflib import Dataset

from orchestration.contracts import Concept, ConceptNode
from orchestration.operations.graph.exporting import Node
from orchestration.operations.graph.formats import format_named
from orchestration.operations.graph.iris import expanded, scalar_text, urn

HOSTILE = "\x00\x01\x08\x0b\x1f\x7f\x85\r\n\t\ud800 \udc00\ufffe\U0001f48a\u202e\u200f"
READ = HOSTILE.replace("\ud800", "\ufffd").replace("\udc00", "\ufffd")
"""What a reader of UTF-8 may see at most: lone surrogates are no characters."""


def a_node(name: str, key: str = "local:x") -> Node:
    concept = Concept(concept=key, kind="Drug", name=name, mentions=1, documents=1)
    return Node(ConceptNode(concept, (key,), (name,), ()), "ChemicalEntity")


def written(folder: Path, format_name: str, *names: str) -> dict[str, Path]:
    chosen = format_named(format_name)
    paths = {name: folder / name for name in chosen.files}
    with chosen.open(paths) as sink:
        for number, name in enumerate(names):
            sink.node(a_node(name, f"local:{number}"))
    return paths


@pytest.mark.parametrize(("name", "syntax"), [("nquads", "nquads"), ("jsonld", "json-ld")])
def test_rdf_keeps_every_character_that_utf_8_has(tmp_path: Path, name: str, syntax: str) -> None:
    (path,) = written(tmp_path, name, HOSTILE).values()
    data = Dataset()
    data.parse(BytesIO(path.read_bytes()), format=syntax)
    labels = {str(each) for _, predicate, each, _ in data.quads() if str(predicate).endswith("label")}
    assert labels == {READ}


def test_kgx_and_parquet_keep_them_too_and_xml_marks_what_it_cannot_hold(tmp_path: Path) -> None:
    nodes = written(tmp_path, "kgx", HOSTILE)["nodes.jsonl"].read_bytes().decode()
    assert nodes.count("\n") == 1
    table = pq.read_table(written(tmp_path, "parquet", HOSTILE)["nodes.parquet"])
    assert table.column("name").to_pylist() == [READ]
    (path,) = written(tmp_path, "graphml", HOSTILE).values()
    (values,) = [each for _, each in networkx.read_graphml(path).nodes(data=True)]
    assert values["name"] == re.sub("[\x00\x01\x08\x0b\x1f\ufffe]", "\ufffd", READ)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=30))
def test_texts_of_any_characters_become_valid_utf_8(text: str) -> None:
    scalar = scalar_text(text)
    scalar.encode()
    if not re.search("[\ud800-\udfff]", text):
        assert scalar == text


@given(
    st.lists(st.text(max_size=8), min_size=2, max_size=2),
    st.lists(st.text(max_size=8), min_size=2, max_size=2),
)
def test_different_keys_never_share_a_urn(first: list[str], second: list[str]) -> None:
    assert (urn(*first) == urn(*second)) is (first == second)
    assert re.fullmatch(r"urn:medkg:[\x21-\x7e]*", urn(*first))


def test_keys_of_vocabularies_have_the_iris_of_these() -> None:
    assert expanded("MONDO:0004975") == "http://purl.obolibrary.org/obo/MONDO_0004975"
    assert expanded("PMC:PMC12") == expanded("PMC:12") == "http://identifiers.org/pmc/PMC12"
    assert expanded("doi:10.1000/a<b>%") == "https://doi.org/10.1000/a%3Cb%3E%25"
    assert expanded("local:ab") == "urn:medkg:local:ab"
    assert expanded("OWN:a b") == "urn:medkg:OWN:a%20b"
