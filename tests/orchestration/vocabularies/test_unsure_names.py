"""Names that are not enough for a link: abbreviations without support, and words that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.records import local_concept
from orchestration.vocabularies.linking import VocabularyLinker
from orchestration.vocabularies.wording import (
    are_initials,
    is_narrower,
    is_short_form,
    is_symbol,
    says_the_same,
)
from tests.orchestration.vocabularies.builders import a_folder
from tests.orchestration.vocabularies.test_linking import linked, mentions_of

ROWS = [
    ("id", "name", "synonyms", "kinds"),
    ("MESH:X1", "Xenic Pallor Disease", "XPD|XP", "Condition"),
    ("MESH:X2", "Bladder Cancer", "", "Condition"),
    ("MESH:X3", "Atherosclerosis", "", "Condition"),
    ("MESH:X4", "Head and Neck Cancer", "", "Condition"),
    ("MESH:X5", "Blotching", "", "Condition"),
    ("MESH:D009569", "Nitric Oxide", "NO", "Drug"),
    ("MESH:X7", "Quillon", "", "Condition"),
    ("MESH:X8", "Tyrosine", "", "Drug"),
    ("MESH:X9", "Ciliary Dyskinesia", "", "Condition"),
]


def concepts(tmp_path: Path, text: str, *names: tuple[str, str]) -> list[str]:
    linker = VocabularyLinker(a_folder(tmp_path, ROWS, "unsure"))
    return [each.concept for each in linked(linker, text, mentions_of(text, *names))]


@pytest.mark.parametrize("long_form", ["xylem paler drift", "xerotic palm dermatitis"])
def test_the_definition_of_the_document_decides_what_an_abbreviation_is(
    tmp_path: Path, long_form: str
) -> None:
    text = f"The {long_form} (XPD) came."
    assert concepts(tmp_path, text, (long_form, "Condition"), ("XPD", "Condition")) == [
        local_concept("Condition", long_form),
        local_concept("Condition", "XPD"),
    ]


def test_a_definition_holds_for_the_plural_and_for_kinds_of_others(tmp_path: Path) -> None:
    text = "Seen nuclear pores (SNPs) were few; each SNP was read. Acute murmur inside (AMI)."
    names = [("SNP", "Drug"), ("AMI", "Drug")]
    assert all(each.startswith("local:") for each in concepts(tmp_path, text, *names))


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("XP was low.", "XP", "Condition"),
        ("The SNP was genotyped.", "SNP", "Drug"),
        ("Two SNPs were typed.", "SNPs", "Drug"),
        ("BMD was measured at the hip.", "BMD", "Condition"),
        ("MP was used.", "MP", "Condition"),
        ("The mean and SD are given.", "SD", "Condition"),
        ("There was no effect.", "no", "Drug"),
        ("No effect was seen.", "No", "Drug"),
        ("AT rest.", "AT", "Condition"),
        ("NA is not available.", "NA", "Drug"),
        ("GM was absent.", "GM", "Drug"),
    ],
)
def test_an_abbreviation_without_definition_or_support_stays_local(
    tmp_path: Path, text: str, name: str, kind: str
) -> None:
    assert concepts(tmp_path, text, (name, kind)) == [local_concept(kind, name)]


def test_an_abbreviation_is_linked_where_the_document_has_a_longer_name_of_its_concept(
    tmp_path: Path,
) -> None:
    text = "Xenic pallor disease is rare. XP was treated. Nitric oxide rose; NO fell. There was no pain."
    names = [("Xenic pallor disease", "Condition"), ("XP", "Condition"), ("Nitric oxide", "Drug")]
    names += [("NO", "Drug"), ("no", "Drug")]
    entities = concepts(tmp_path, text, *names)
    assert entities[:4] == ["MESH:X1", "MESH:X1", "MESH:D009569", "MESH:D009569"]
    assert entities[4].startswith("local:")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gallbladder cancer", "Condition"),
        ("multiple sclerosis of Quendon", "Condition"),
        ("head and neck pain of Quendon", "Condition"),
        ("crash", "Condition"),
        ("slotching", "Condition"),
        ("EGFR-tyrosine", "Drug"),
        ("Quillon verursachte", "Condition"),
        ("bladder bypass", "Condition"),
        ("x" * 501, "Drug"),
    ],
)
def test_a_name_with_another_content_word_is_another_concept(tmp_path: Path, name: str, kind: str) -> None:
    assert concepts(tmp_path, f"We saw {name}.", (name, kind)) == [local_concept(kind, name)]


@pytest.mark.parametrize(
    ("mention", "name", "expected"),
    [
        ("hypotensive", "hypotension", True),
        ("renal disorder", "kidney disease", True),
        ("colon cancer", "colon tumor", True),
        ("norrie", "norrie disease", True),
        ("pentylenetetrezol", "pentylenetetrazol", True),
        ("frontal lobe syndrome", "frontal lobe", False),
        ("hypotension", "hypertension", False),
        ("phosphate", "phosphite", False),
        ("nitrate", "nitrite", False),
        ("c6 deficiency", "c7 deficiency", False),
        ("gallbladder cancer", "bladder cancer", False),
    ],
)
def test_names_say_the_same_in_other_forms_of_all_content_words(
    mention: str, name: str, expected: bool
) -> None:
    assert says_the_same(mention, name) is expected


def test_a_narrower_name_has_more_words_before_the_same_end() -> None:
    assert is_narrower("lethal breast cancer", "breast cancer")
    assert not is_narrower("breast cancer pain", "breast cancer")
    assert not is_narrower("primary ciliary dyskinesia", "dyskinesia")


def test_forms_of_abbreviations() -> None:
    assert all(map(is_short_form, ("SNP", "SNPs", "no", "Na", "5-FU", "CO2")))
    assert not any(map(is_short_form, ("rash", "MK-801", "pain", "PANCREATITIS")))
    assert is_symbol("Ca") and not is_symbol("No") and not is_symbol("CA")
    assert are_initials("ALF", "acute liver failure") and not are_initials("ALF", "acute renal failure")


@pytest.mark.parametrize(("name", "concept"), [("blotching", "MESH:X5"), ("Unheard", None), ("XP", None)])
def test_a_keyword_has_the_concept_of_its_name_where_that_is_sure(
    tmp_path: Path, name: str, concept: str | None
) -> None:
    linker = VocabularyLinker(a_folder(tmp_path, ROWS, "unsure"))
    (entity,) = linked(linker, name, mentions_of(name, (name, "Topic"), extraction="registry/4"))
    assert (entity.concept, entity.kind) == (concept or local_concept("Topic", name), "Topic")


def test_a_keyword_has_the_concept_that_the_record_states_for_the_name(tmp_path: Path) -> None:
    text = "Pain. pain"
    stated, keyword = mentions_of(text, ("Pain", "Condition"), ("pain", "Topic"), extraction="registry/4")
    stated = stated.model_copy(update={"concept": "MESH:D010146"})
    entities = linked(VocabularyLinker(a_folder(tmp_path, ROWS, "unsure")), text, [stated, keyword])
    assert [each.concept for each in entities] == ["MESH:D010146", "MESH:D010146"]
