"""Coordinated names: the full names that one mention may stand for, and mentions that are taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.contracts import values_of
from orchestration.extraction.findings import Findings
from orchestration.records import Claim, Entity, Span
from orchestration.vocabularies.coordination import readings
from orchestration.vocabularies.linking import VocabularyLinker
from tests.orchestration.vocabularies.builders import a_folder
from tests.orchestration.vocabularies.test_linking import a_document

NAMES = ("ovarian rot", "breast rot", "head and neck rot", "head rot", "neck rot")
ROWS = [
    ("id", "name", "kinds"),
    *((f"MESH:D{n}", name, "Condition") for n, name in enumerate(NAMES, start=31)),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ovarian and breast cancer", ("ovarian cancer", "breast cancer")),
        ("hepatic, cardiac, and/or renal failure", ("hepatic failure", "cardiac failure", "renal failure")),
        ("low back and right leg pain", ("low back pain", "right leg pain")),
        ("Duchenne/Becker muscular dystrophy", ("Duchenne muscular dystrophy", "Becker muscular dystrophy")),
        ("deficits in learning and memory", ("deficits in learning", "deficits in memory")),
        ("cancer of the colon or rectum", ("cancer of the colon", "cancer of the rectum")),
    ],
)
def test_a_coordination_is_read_as_its_full_names(name: str, expected: tuple[str, ...]) -> None:
    assert expected in readings(name)


@pytest.mark.parametrize(
    "name",
    [
        "breast cancer",
        "nausea and vomiting",
        "and",
        ", ",
        "colon and some other cancers",
        "2/3 block",
        "a and b " * 99,
    ],
)
def test_a_name_without_shared_words_has_no_reading(name: str) -> None:
    assert readings(name) == []


def read(tmp_path: Path, name: str, extraction: str) -> tuple[list[Entity], list[Claim]]:
    """What the linker makes of a condition, a drug, and the claim between them."""
    text = f"Aspirin and {name}."
    document = a_document(text)
    findings = Findings(document, extraction)
    drug = findings.mention("Drug", Span(start_char=0, end_char=7))
    condition = findings.mention("Condition", Span(start_char=12, end_char=12 + len(name)))
    findings.claim(drug, "causes", condition, confidence=0.8)
    linker = VocabularyLinker(a_folder(tmp_path, ROWS, "organs"))
    (extraction_,) = values_of(linker.link([(document, findings.extraction())]))
    return extraction_


def test_a_coordination_of_known_names_becomes_a_mention_and_a_claim_per_concept(tmp_path: Path) -> None:
    entities, claims = read(tmp_path, "ovarian and breast rot", "encoder/1")
    drug, *conditions = entities
    assert [each.concept for each in conditions] == ["MESH:D31", "MESH:D32"]
    assert {(each.span.start_char, each.span.end_char, each.name) for each in conditions} == {
        (12, 34, "ovarian and breast rot")
    }
    assert len({each.entity_id for each in entities}) == 3
    assert [(each.subject, each.object) for each in claims] == [
        (drug.entity_id, each.entity_id) for each in conditions
    ]
    assert len({each.claim_id for each in claims}) == 2
    assert read(tmp_path, "ovarian and breast rot", "encoder/1") == (entities, claims)


@pytest.mark.parametrize(
    ("name", "extraction"),
    [
        ("head and neck rot", "encoder/1"),  # the whole is a concept
        ("ovarian and unheard-of rot", "encoder/1"),  # one part is unknown
        ("ovarian and breast rot", "registry/4"),  # as the record states it
    ],
)
def test_a_coordination_stays_one_mention(tmp_path: Path, name: str, extraction: str) -> None:
    entities, claims = read(tmp_path, name, extraction)
    assert [each.name for each in entities] == ["Aspirin", name]
    assert len(claims) == 1
