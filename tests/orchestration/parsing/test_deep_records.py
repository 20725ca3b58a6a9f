"""JSON records with values nested to any depth give a document or a named error, and harm no other record."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from medkg.testing.builders import a_study, an_abstract
from orchestration.contracts import Parser
from orchestration.errors import MalformedDocumentError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedJsonlParser
from orchestration.parsing.text_builder import MOST_LEVELS, clean_metadata
from orchestration.records import RawPayload

WORK = {"id": "https://openalex.org/W7", "title": "A walk", "abstract_inverted_index": {"Walking": [0]}}
RECORDS: list[tuple[Parser, dict[str, Any]]] = [
    (ClinicalTrialsParser(), a_study("NCT00000001")),
    (PubmedJsonlParser(), an_abstract("77")),
    (OpenAlexParser(), WORK),
]
SHAPES = {"objects": ('{"deep":', "}"), "lists": ("[", "]")}


def with_deep_field(record: dict[str, Any], shape: str, levels: int) -> bytes:
    opening, closing = SHAPES[shape]
    return json.dumps(record).encode()[:-1] + f', "x": {opening * levels}1{closing * levels}}}'.encode()


@pytest.mark.parametrize("levels", [50, 300, 900])
@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize(("parser", "record"), RECORDS, ids=lambda value: getattr(value, "format", ""))
def test_a_deep_field_gives_a_document_or_a_named_error(
    parser: Parser, record: dict[str, Any], shape: str, levels: int
) -> None:
    content = with_deep_field(record, shape, levels)
    payload = RawPayload(
        doc_id="1", source="files", format=parser.format, content=content, uri="a.json", version="1"
    )
    try:
        assert parser.parse(payload, "default").text
    except MalformedDocumentError as error:
        assert error.message.startswith("a.json: ")


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize(("parser", "record"), RECORDS, ids=lambda value: getattr(value, "format", ""))
def test_one_that_cannot_be_decoded_is_named_and_the_next_is_read(
    parser: Parser, record: dict[str, Any], shape: str
) -> None:
    content = with_deep_field(record, shape, 100_000) + b"\n" + json.dumps(record).encode()
    deep, sound = parser.records(io.BytesIO(content), "a.jsonl", 10**7)
    assert sound.error is None and sound.doc_id is not None
    assert isinstance(deep.error, MalformedDocumentError)
    assert "its values are nested deeper than can be read" in deep.error.message


def test_metadata_is_cleaned_to_a_depth() -> None:
    def nested(levels: int) -> Any:
        value: Any = " a "
        for _ in range(levels):
            value = [value]
        return value

    assert clean_metadata(nested(MOST_LEVELS)) is not None
    with pytest.raises(ValueError, match=f"nested more than {MOST_LEVELS} deep"):
        clean_metadata(nested(MOST_LEVELS + 1))
