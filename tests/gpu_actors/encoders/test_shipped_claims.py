"""Claims of the encoder extractor with the model, weights and lexicons that ship, on authored sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_actors.encoders.local_models import LocalModels
from gpu_actors.profiles import chosen_profile
from orchestration.contracts import Found, values_of
from orchestration.extraction.encoder import EncoderExtractor
from orchestration.records import Claim
from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.linking import VocabularyLinker
from tests.orchestration.extraction.test_encoder import written

STATED = {
    ("Metformin", "nausea"),
    ("Zopiclone", "headache"),
    ("Lithium", "diabetes insipidus"),
    ("Haloperidol", "catalepsy"),
    ("Bupivacaine", "cardiac arrest"),
    ("Cocaine", "myocardial infarction"),
}
PAIRS = (
    "Metformin caused nausea. Zopiclone caused headache. Lithium induced diabetes insipidus. Haloperidol "
    "caused catalepsy. Bupivacaine caused cardiac arrest. Cocaine caused myocardial infarction."
)


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> EncoderExtractor:
    linker = VocabularyLinker(VocabularyFolder(Path(tmp_path_factory.mktemp("vocabularies"))))
    return EncoderExtractor(LocalModels(chosen_profile("cpu")), "extractor-mini", 60, linker)


def claims_of(extractor: EncoderExtractor, title: str, text: str) -> tuple[dict[tuple[str, str], Claim], str]:
    """Claims by the names of their ends, and the text."""
    document = written(title, text)
    extractions: list[Found] = values_of(extractor.extract_batch([document]))
    entities, claims = extractions[0][0], extractions[0][1]
    names = {each.entity_id: each.name for each in entities}
    return {(names[each.subject], names[each.object]): each for each in claims}, document.text


def test_every_stated_pair_is_a_claim_with_its_own_sentence_and_no_other_pair_is(
    extractor: EncoderExtractor,
) -> None:
    claims, text = claims_of(extractor, "Update", PAIRS)
    assert set(claims) == STATED
    for (drug, condition), claim in claims.items():
        (span,) = claim.evidence
        sentence = text[span.start_char : span.end_char]
        assert drug in sentence and condition in sentence


def test_a_denial_is_found_and_the_drug_of_the_title_is_not_blamed(extractor: EncoderExtractor) -> None:
    claims, _ = claims_of(extractor, "Kitomycin again.", "Thalidomide did not cause peripheral neuropathy.")
    assert {names: claim.negated for names, claim in claims.items()} == {
        ("Thalidomide", "peripheral neuropathy"): True
    }


@pytest.mark.parametrize(
    "text",
    [
        "We evaluated desflurane, when used to control intraoperative hypertension.",
        "Use of oral contraceptives was inversely associated with colorectal cancer.",
        "Vitamin D prevented rickets in children. Rickets was treated with vitamin D.",
        "Fugene HD was mixed with the plasmid, and Kurosawa saw oscillations.",
    ],
)
def test_treatment_protection_and_other_fields_make_no_claim(extractor: EncoderExtractor, text: str) -> None:
    assert claims_of(extractor, "A study.", text)[0] == {}
