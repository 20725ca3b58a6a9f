"""Mentions get the concepts of vocabularies, by their name and by the rest of the document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, a_study
from orchestration.assembly.assembled import Assembly
from orchestration.contracts import values_of
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import Document, Entity, Fingerprints, Span, local_concept
from orchestration.settings import load_settings
from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.linking import VocabularyLinker
from tests.orchestration.vocabularies.builders import FRUITS, a_folder, a_table


def a_document(text: str) -> Document:
    return Document(
        tenant_id="t",
        source="files",
        doc_id="d",
        version="v",
        text=text,
        title="",
        sections=(),
        parser="text/1",
    )


def mentions_of(text: str, *names: tuple[str, str], extraction: str = "encoder/1") -> list[Entity]:
    """All places of each (name, kind) in the text."""
    mentions = []
    for name, kind in names:
        start = text.find(name)
        while start >= 0:
            span = Span(start_char=start, end_char=start + len(name))
            mentions.append(
                Entity(
                    entity_id=f"{kind}{start}",
                    tenant_id="t",
                    doc_id="d",
                    kind=kind,
                    name=name,
                    span=span,
                    concept=local_concept(kind, name),
                    extraction=extraction,
                )
            )
            start = text.find(name, start + 1)
    return mentions


def linked(linker: VocabularyLinker, text: str, mentions: Sequence[Entity]) -> list[Entity]:
    ((entities, _),) = values_of(linker.link([(a_document(text), (list(mentions), []))]))
    return entities


def concepts(tmp_path: Path, text: str, *names: tuple[str, str], extraction: str = "encoder/1") -> list[str]:
    linker = VocabularyLinker(a_folder(tmp_path))
    return [each.concept for each in linked(linker, text, mentions_of(text, *names, extraction=extraction))]


def test_a_name_in_another_spelling_and_order_has_its_concept(tmp_path: Path) -> None:
    text = "Disease of apples, apple-sickness and Pyrus disorders came."
    names = [
        ("Disease of apples", "Condition"),
        ("apple-sickness", "Condition"),
        ("Pyrus disorders", "Condition"),
    ]
    assert concepts(tmp_path, text, *names) == ["MESH:D1", "MESH:D1", "MESH:D2"]


def test_an_unknown_name_stays_local(tmp_path: Path) -> None:
    assert concepts(tmp_path, "Zyxwvutsr happened.", ("Zyxwvutsr", "Condition")) == [
        local_concept("Condition", "Zyxwvutsr")
    ]


def test_a_concept_of_another_kind_is_not_taken(tmp_path: Path) -> None:
    (concept,) = concepts(tmp_path, "We gave malus disorder.", ("malus disorder", "Drug"))
    assert concept != "MESH:D1"
    assert concepts(tmp_path, "Arm: pear drug", ("pear drug", "Arm")) == [local_concept("Arm", "pear drug")]


def test_an_intervention_may_be_a_drug(tmp_path: Path) -> None:
    assert concepts(tmp_path, "pear drug", ("pear drug", "Intervention")) == ["MESH:D3"]


def test_an_abbreviation_has_the_concept_of_its_long_form(tmp_path: Path) -> None:
    text = "The malus disorder (MD) is rare; MD was treated."
    names = [("malus disorder", "Condition"), ("MD", "Condition")]
    assert set(concepts(tmp_path, text, *names)) == {"MESH:D1"}


def test_an_abbreviation_without_a_definition_stands_for_a_mention_with_its_initials(tmp_path: Path) -> None:
    text = "QZD came late. Quince zest disorder is rare."
    rows = [*FRUITS, ("MESH:D5", "Quince Zest Disorder", "", "Condition", "")]
    linker = VocabularyLinker(a_folder(tmp_path, rows))
    entities = linked(
        linker, text, mentions_of(text, ("QZD", "Condition"), ("Quince zest disorder", "Condition"))
    )
    assert [each.concept for each in entities] == ["MESH:D5", "MESH:D5"]
    assert entities[0].confidence < entities[1].confidence


def test_a_name_with_similar_letters_is_linked_with_less_confidence(tmp_path: Path) -> None:
    linker = VocabularyLinker(a_folder(tmp_path))
    text = "pearazoles and pearrazole"
    exact, similar = linked(linker, text, mentions_of(text, ("pearazoles", "Drug"), ("pearrazole", "Drug")))
    assert exact.concept == similar.concept == "MESH:D3"
    assert similar.confidence < exact.confidence <= 1


def test_records_of_trials_are_linked_only_where_that_is_sure(tmp_path: Path) -> None:
    text = "malus disorder and pearrazole"
    names = [("malus disorder", "Condition"), ("pearrazole", "Drug")]
    assert concepts(tmp_path, text, *names, extraction="registry/1") == [
        "MESH:D1",
        local_concept("Drug", "pearrazole"),
    ]


def test_the_concept_that_a_record_states_for_a_name_is_taken_and_never_changed(tmp_path: Path) -> None:
    text = "Apple Disease. apple disease"
    stated, local = mentions_of(text, ("Apple Disease", "Condition"), ("apple disease", "Condition"))
    stated = stated.model_copy(update={"concept": "MESH:D777", "identifiers": ("X:1",)})
    first, second = linked(VocabularyLinker(a_folder(tmp_path)), text, [stated, local])
    assert first == stated
    assert second.concept == "MESH:D777" and second.confidence == 0.99


def test_of_concepts_that_refer_to_each_other_that_of_mesh_is_taken_with_the_other_as_identifier(
    tmp_path: Path,
) -> None:
    folder = a_folder(tmp_path)
    rows = [("id", "name", "xrefs"), ("MONDO:1", "apple disease", "MESH:D1|DOID:4")]
    folder.add(a_table(tmp_path / "mondo.tsv", rows))
    text = "apple disease"
    (mention,) = linked(VocabularyLinker(folder), text, mentions_of(text, ("apple disease", "Condition")))
    assert mention.concept == "MESH:D1" and "MONDO:1" in mention.identifiers


def test_a_name_that_the_lexicon_knows_needs_no_vocabulary(tmp_path: Path) -> None:
    linker = VocabularyLinker(VocabularyFolder(tmp_path / "vocabularies"))
    text = "lithium carbonate"
    (mention,) = linked(linker, text, mentions_of(text, ("lithium carbonate", "Drug")))
    assert mention.concept == "MESH:D016651" and mention.confidence > 0.8


def test_an_added_vocabulary_changes_the_version_and_is_used_at_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    linker, text = VocabularyLinker(folder), "plumitis"
    mentions = mentions_of(text, ("plumitis", "Condition"))
    before = linker.version
    assert linked(linker, text, mentions)[0].concept.startswith("local:")
    folder.add(a_table(tmp_path / "plums.tsv", [("id", "name"), ("MONDO:7", "plumitis")]))
    assert linker.version != before and linked(linker, text, mentions)[0].concept == "MONDO:7"
    folder.remove("plums")
    assert linker.version == before and linked(linker, text, mentions)[0].concept.startswith("local:")


def test_a_trial_and_an_article_meet_in_one_concept(tmp_path: Path) -> None:
    linker = VocabularyLinker(a_folder(tmp_path))
    trial = mentions_of("Drug: Pear Drug", ("Pear Drug", "Drug"), extraction="registry/1")
    article = mentions_of("We gave pearazoles daily.", ("pearazoles", "Drug"), extraction="encoder/1")
    (of_trial,) = linked(linker, "Drug: Pear Drug", trial)
    (of_article,) = linked(linker, "We gave pearazoles daily.", article)
    assert of_trial.concept == of_article.concept == "MESH:D3"


def test_the_extract_stage_of_a_topology_links_what_a_trial_is_about(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", profile=None, tenant=None)
    VocabularyFolder(settings.vocabularies_dir).add(a_table(tmp_path / "fruits.tsv"))
    study = a_study(conditionsModule={"conditions": ["Malus Disorder", "Something else"]})
    payload = a_payload(json.dumps(study), "ctgov-v2", doc_id="NCT00000001", source="clinicaltrials")
    assembly = Assembly(settings)
    try:
        document = ClinicalTrialsParser().parse(payload, "default")
        ((entities, claims),) = values_of(assembly.extract("clinical-trials", [document]))
    finally:
        assembly.close()
    concept_of = {each.entity_id: each.concept for each in entities}
    studied = [concept_of[claim.object] for claim in claims if claim.predicate == "studies"]
    assert studied == ["MESH:D1", local_concept("Condition", "Something else")]


def test_a_vocabulary_is_part_of_the_fingerprint_of_the_graph_alone(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", profile=None, tenant=None)

    def fingerprints() -> Fingerprints:
        assembly = Assembly(settings)
        try:
            return assembly.fingerprints("clinical-trials", "a-model")["ctgov-v2"]
        finally:
            assembly.close()

    before = fingerprints()
    VocabularyFolder(settings.vocabularies_dir).add(a_table(tmp_path / "fruits.tsv"))
    after = fingerprints()
    assert (after.parse, after.index) == (before.parse, before.index) and after.graph != before.graph


WORDS = st.sampled_from(
    ["apple", "disease", "pear", "MD", "sickness", "of", "FK-506", "(", ")", "\u03b1", "zzz"]
)


@profile(deadline=None, max_examples=60)
@given(words=st.lists(WORDS, min_size=1, max_size=12), cuts=st.lists(st.integers(0, 11), max_size=6))
def test_links_change_concepts_identifiers_and_confidence_only_and_are_the_same_again(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], cuts: list[int]
) -> None:
    text = " ".join(words)
    names = [(" ".join(words[cut : cut + 2]), ("Condition", "Drug", "Arm")[cut % 3]) for cut in cuts]
    mentions = mentions_of(text, *((name, kind) for name, kind in names if name))
    folder = a_folder(tmp_path_factory.mktemp("vocabularies"))
    result = linked(VocabularyLinker(folder), text, mentions)
    assert result == linked(VocabularyLinker(folder), text, mentions)
    same = {"concept": "", "identifiers": (), "confidence": 1.0}
    assert [each.model_copy(update=same) for each in result] == [
        each.model_copy(update=same) for each in mentions
    ]
    assert all(0 <= each.confidence <= 1 for each in result)
