"""The real documents beside the checkout, all of them, through the files source and their parsers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound, indexed_part
from medkg.testing.source_suite import request_of
from orchestration.contracts import SourceRequest
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.json.records import load_record
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.trees import local_name, parse_xml
from orchestration.records import Document, RawPayload
from orchestration.sources.files import FilesSource
from tests.orchestration.parsing.jats.tokens import lost, repeated, tokenised

SHARED = Path(__file__).parents[4] / "shared" / "data"
PARSERS = {
    parser.format: parser
    for parser in (ClinicalTrialsParser(), JatsParser(), PubmedJsonlParser(), PubmedXmlParser())
}

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(
        not SHARED.is_dir(), reason="needs the real documents of ../shared/data (see its README)"
    ),
]


def ingested(*names: str) -> list[tuple[RawPayload, Document]]:
    source = FilesSource(PARSERS, 64_000_000)
    paths = tuple(str(SHARED / name) for name in names)
    items = list(source.enumerate(SourceRequest(plugin="files", paths=paths)))
    assert [item.error_message for item in items if item.error_message] == []
    pairs = []
    for payload in source.fetch([request_of(item) for item in items]):
        assert isinstance(payload, RawPayload)
        pairs.append((payload, PARSERS[payload.format].parse(payload, "default")))
    return pairs


def letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


def test_all_studies_parse_and_lose_no_text() -> None:
    pairs = ingested("clinicaltrials")
    assert len(pairs) == 151
    for payload, document in pairs:
        assert_sound(document)
        study = load_record(payload.content, payload.uri)
        text = letters(document.text)
        for said in free_texts(study["protocolSection"]) + free_texts(study.get("resultsSection", {})):
            assert letters(said) in text, f"{document.doc_id} lost {said[:80]!r}"


def free_texts(value: Any, key: str = "") -> list[str]:
    """Texts of a sentence or more that people wrote, but for citations and contacts of single sites."""
    if isinstance(value, dict):
        left_out = ("references", "locations", "locations_nested", "centralContacts", "overallOfficials")
        return [
            text for name, item in value.items() if name not in left_out for text in free_texts(item, name)
        ]
    if isinstance(value, list):
        return [text for item in value for text in free_texts(item, key)]
    return [value] if isinstance(value, str) and len(value.split()) > 3 else []


def test_all_articles_parse_and_lose_no_paragraph() -> None:
    pairs = ingested("jats")
    assert len(pairs) == 70
    for payload, document in pairs:
        assert_sound(document)
        text = letters(document.text)
        root = parse_xml(payload.content, payload.uri) if payload.format == "jats" else None
        for paragraph in plain_paragraphs(root) if root is not None else []:
            assert letters(paragraph) in text, f"{document.doc_id} lost {paragraph[:80]!r}"


def test_every_text_of_every_article_is_in_its_document_once() -> None:
    texts = 0
    for path in sorted((SHARED / "jats").glob("*.*xml")):
        content = path.read_bytes()
        if JatsParser().recognises(content[: 1 << 16], path.name):
            content, tokens = tokenised(content)
            document = JatsParser().parse(a_payload(content, "jats", doc_id="PMC1", source="pmc"), "default")
            assert_sound(document)
            assert lost(tokens, document) == [], path.name
            assert repeated(tokens, document) == [], path.name
            texts += len(tokens)
    assert texts > 150_000


def plain_paragraphs(root: Any) -> list[str]:
    """Paragraphs, cells and headings without formulas or blocks inside, outside of reference lists."""
    special = {"inline-formula", "disp-formula", "list", "table-wrap", "fig", "boxed-text", "fn"}
    apart = {"ref-list", "sub-article", "response"}
    documents = []
    for part in (root.find("body"), root.find("back")):
        for element in part.iter("p", "td", "title") if part is not None else ():
            above = {local_name(ancestor) for ancestor in element.iterancestors()}
            if not above & apart and not any(local_name(below) in special for below in element.iter()):
                documents.append("".join(element.itertext()))
    return documents


def test_reference_lists_stand_in_the_text_and_are_not_indexed() -> None:
    references = 0
    for _, document in ingested("jats"):
        for reference in document.references:
            references += 1
            if len(reference.text) > 60:
                assert one_line(reference.text) in document.text
                assert one_line(reference.text) not in indexed_part(document).text
    assert references > 4000


def test_all_abstracts_parse_with_their_labels() -> None:
    pairs = ingested("pubmedqa/abstracts.jsonl")
    assert len(pairs) == 1000
    for payload, document in pairs:
        assert_sound(document)
        record = load_record(payload.content, payload.uri)
        assert all(one_line(section["text"]) in document.text for section in record["sections"])
