"""The encoder extractor over a tagger of known words: mentions that agree, claims with their sentences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from medkg.testing.builders import a_document
from medkg.testing.stage_suite import ExtractStageSuite
from orchestration.contracts import (
    BatchExtractor,
    ConceptSpans,
    EffectStatement,
    Extraction,
    Found,
    MentionRelator,
    Outcome,
    ReadDirection,
    ScoredRelation,
    ShapedExtractor,
    TaggedSpan,
    TaggedText,
    TextToTag,
    values_of,
)
from orchestration.errors import (
    ConfigurationError,
    EmbeddingInputTooLongError,
    MedkgError,
    PlaneUnavailableError,
)
from orchestration.extraction.encoder import EncoderExtractor
from orchestration.extraction.encoder.agreement import agreed_mentions
from orchestration.extraction.encoder.claim_model import FILE as CLAIM_MODEL
from orchestration.extraction.encoder.passages import WINDOW_CHARACTERS, passages
from orchestration.extraction.findings import Findings
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.records import Block, BlockKind, Claim, Document, Entity, Section, Span, local_concept
from orchestration.stages.extract import Extract
from orchestration.topology.shipped import shipped_folder

WORDS = {
    "Chemical": ("aspirin", "heparin", "ASA", "acetylsalicylic acid"),
    "Disease": ("bleeding", "nausea", "ulcer"),
}
SCHEMA = load_graph_schema(shipped_folder())


@dataclass
class Read:
    """A text in which the relation model calls every pair of a chemical and a disease a relation."""

    spans: Sequence[TaggedSpan]
    margin: float = 6.0

    def relations(self, concepts: Sequence[ConceptSpans]) -> list[ScoredRelation]:
        return [
            ScoredRelation(subject, object_, "induces", self.margin, (0, 1))
            for subject, first in enumerate(concepts)
            for object_, second in enumerate(concepts)
            if (first.label, second.label) == ("Chemical", "Disease")
        ]


@dataclass
class WordTagger:
    """Tags WORDS in the passages, with a confidence of 0.8."""

    errors: dict[str, MedkgError] = field(default_factory=dict)
    """By a word of the text."""
    calls: list[int] = field(default_factory=list)
    """Texts of each call."""
    margin: float = 6.0
    """Of every pair of a chemical and a disease."""

    reads_directions = False

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        self.calls.append(len(texts))
        return [self._tagged(each) for each in texts]

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        raise ConfigurationError("a tagger of words reads no directions")

    def _tagged(self, text: TextToTag) -> Outcome[TaggedText]:
        for word, error in self.errors.items():
            if word in text.text:
                return error
        spans = [
            TaggedSpan(match.start(), match.end(), label, 0.8)
            for label, words in WORDS.items()
            for start, end in text.passages
            for match in re.compile("|".join(words), re.IGNORECASE).finditer(text.text, start, end)
        ]
        return Read(sorted(spans), self.margin)


class EveryConcept:
    """A linker that knows every name."""

    version = "1"

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> Sequence[Outcome[Extraction]]:
        return [
            ([each.model_copy(update={"concept": f"X:{each.name}"}) for each in entities], claims)
            for _, (entities, claims) in items
        ]


def an_extractor(tagger: WordTagger | None = None, model: str | None = "tiny@1") -> EncoderExtractor:
    return EncoderExtractor(tagger or WordTagger(), model, 30, EveryConcept())


def written(*paragraphs: str, doc_id: str = "doc-1") -> Document:
    """A document of paragraphs."""
    text = "\n\n".join(paragraphs)
    blocks, start = [], 0
    for number, paragraph in enumerate(paragraphs):
        end = start + len(paragraph)
        kind = BlockKind.PARAGRAPH
        blocks.append(Block(block_id=f"b{number}", kind=kind, start_char=start, end_char=end))
        start = end + 2
    section = Section(
        title="", title_path=(), role=None, start_char=0, end_char=len(text), blocks=tuple(blocks)
    )
    return a_document(doc_id=doc_id).model_copy(update={"text": text, "sections": (section,)})


def extracted(document: Document) -> tuple[list[Entity], list[Claim]]:
    extractions: list[Found] = values_of(an_extractor().extract_batch([document]))
    result = grounded(document, (extractions[0][0], extractions[0][1]), SCHEMA)
    assert not result.dropped
    return result.extraction


def evidence(document: Document, claim: Claim) -> list[str]:
    return [document.text[each.start_char : each.end_char] for each in claim.evidence]


class TestEncoderInTheStage(ExtractStageSuite):
    @pytest.fixture
    def stage(self) -> Extract:
        def check(document: Document, extraction):  # type: ignore[no-untyped-def]
            result = grounded(document, extraction, SCHEMA)
            return result.extraction, result.dropped

        return Extract({"encoder": an_extractor}, check, {"default": ["encoder"]}, timeout_seconds=30)

    value = pytest.fixture(lambda self: written("aspirin caused bleeding."))


def test_it_offers_what_the_stage_and_the_measures_use() -> None:
    extractor = an_extractor()
    assert isinstance(extractor, BatchExtractor) and isinstance(extractor, MentionRelator)
    assert isinstance(extractor, ShapedExtractor) and extractor.shape == {
        "model": "tiny@1",
        "claims": hashlib.sha256(CLAIM_MODEL.read_bytes()).hexdigest()[:16],
    }


def test_the_sentence_that_words_the_relation_is_the_evidence_of_the_claim() -> None:
    document = written(
        "We gave aspirin. Soon aspirin caused bleeding in rats.", "aspirin and bleeding again."
    )
    entities, claims = extracted(document)
    assert {each.kind for each in entities} == {"Drug", "Condition"}
    (claim,) = claims
    assert claim.predicate == "causes" and claim.confidence > 0.9 and not claim.negated
    assert evidence(document, claim) == ["Soon aspirin caused bleeding in rats."]
    assert [(each.kind, each.value) for each in claim.qualifiers] == [("population", "rats")]
    subject = next(each for each in entities if each.entity_id == claim.subject)
    assert subject.span.start_char == document.text.index("aspirin caused")


def test_without_a_shared_sentence_the_nearest_two_are_the_evidence() -> None:
    document = written("We gave aspirin. Far away. Then came heparin. Nausea followed. The end.")
    _, claims = extracted(document)
    assert [evidence(document, each) for each in claims] == [
        ["We gave aspirin.", "Nausea followed."],
        ["Then came heparin.", "Nausea followed."],
    ]


def test_sentences_that_deny_a_relation_make_a_separate_claim() -> None:
    document = written("Aspirin caused bleeding. Aspirin did not cause bleeding in children.")
    asserted, denied = sorted(extracted(document)[1], key=lambda each: each.negated)
    assert evidence(document, asserted) == ["Aspirin caused bleeding."]
    assert denied.negated and evidence(document, denied) == ["Aspirin did not cause bleeding in children."]
    assert ("negation", "did not") in [(each.kind, each.value) for each in denied.qualifiers]


def test_a_claim_is_supposed_only_where_every_sentence_supposes_it() -> None:
    _, (supposed,) = extracted(written("aspirin may cause bleeding."))
    assert [(each.kind, each.value) for each in supposed.qualifiers] == [("speculation", "may")]
    _, (asserted,) = extracted(written("Aspirin may cause bleeding. Aspirin caused bleeding."))
    assert asserted.qualifiers == ()


def test_an_abbreviation_is_the_concept_of_its_long_form() -> None:
    document = written("acetylsalicylic acid (ASA) caused nausea. Later ASA was stopped.")
    entities, claims = extracted(document)
    drugs = [each for each in entities if each.kind == "Drug"]
    assert [each.name for each in drugs] == ["acetylsalicylic acid", "ASA", "ASA"]
    assert {each.concept for each in drugs} == {local_concept("Drug", "acetylsalicylic acid")}
    assert len(claims) == 1


class TestAgreement:
    def tagged(self, text: str, *places: tuple[int, str, str]) -> list[tuple[str, int, str]]:
        """Mentions of `text` where the tagger has tagged these occurrences of words."""
        spans = []
        for occurrence, word, label in places:
            start = [match.start() for match in re.finditer(re.escape(word), text)][occurrence]
            spans.append(TaggedSpan(start, start + len(word), label, 0.8))
        mentions = agreed_mentions(text, [(0, len(text))], spans)
        return [(text[each.start_char : each.end_char], each.start_char, each.label) for each in mentions]

    def test_what_the_tagger_mostly_finds_is_a_mention_everywhere(self) -> None:
        text = "Lithium rose. Lithium fell. Lithium stayed. lithium. Nothing else."
        mentions = self.tagged(text, *((at, "Lithium", "Chemical") for at in range(3)))
        assert mentions[-1] == ("lithium", 44, "Chemical") and len(mentions) == 4

    def test_a_word_that_it_mostly_leaves_is_none_elsewhere_and_parts_of_words_never_are(self) -> None:
        text = "pain pain pain pain painful"
        assert self.tagged(text, (0, "pain", "Disease")) == [("pain", 0, "Disease")]

    def test_one_name_has_one_label_that_of_most_mentions(self) -> None:
        text = "NO rose. NO fell. NO again."
        labels = self.tagged(text, (0, "NO", "Disease"), (1, "NO", "Chemical"), (2, "NO", "Chemical"))
        assert [label for _, _, label in labels] == ["Chemical"] * 3

    def test_a_mention_ends_with_its_line(self) -> None:
        text = "gastric cancer \n\nConditions"
        assert self.tagged(text, (0, text, "Disease")) == [("gastric cancer", 0, "Disease")]

    def test_mentions_never_overlap(self) -> None:
        text = "renal failure came; acute renal failure went."
        assert self.tagged(text, (0, "renal failure", "Disease"), (0, "acute renal failure", "Disease")) == [
            ("renal failure", 0, "Disease"),
            ("acute renal failure", 20, "Disease"),
        ]


def test_a_title_is_read_with_its_abstract_and_long_sections_apart() -> None:
    long = "It is long. " * (WINDOW_CHARACTERS // 12)
    document = sectioned(
        ("", None, "A title"), ("Abstract", "abstract", "Short."), ("Methods", "methods", long)
    )
    texts = [document.text[start:end] for start, end in passages(document)]
    assert texts == ["A title\n\nAbstract\n\nShort.", f"Methods\n\n{long.strip()}"]


def test_fields_tables_and_acknowledgements_are_not_read() -> None:
    document = sectioned(
        ("", None, "A title"),
        ("Design", "methods", "Allocation: random"),
        ("Funding", "funding", "By aspirin makers."),
        ("Results", "results", "It fell."),
        kinds={"Allocation: random": BlockKind.REGISTRY_FIELD},
    )
    texts = [document.text[start:end] for start, end in passages(document)]
    assert texts == ["A title\n\nDesign", "Results\n\nIt fell."]


def sectioned(*parts: tuple[str, str | None, str], kinds: dict[str, BlockKind] | None = None) -> Document:
    """A document of sections, each with a heading and one block of words."""
    text, sections = "", []
    for number, (heading, role, words) in enumerate(parts):
        blocks, start = [], len(text)
        kind = (kinds or {}).get(words, BlockKind.PARAGRAPH)
        for place, (what, content) in enumerate([(BlockKind.HEADING, heading), (kind, words.strip())]):
            if content:
                begin, end = len(text), len(text) + len(content)
                blocks.append(Block(block_id=f"b{number}.{place}", kind=what, start_char=begin, end_char=end))
                text += f"{content}\n\n"
        sections.append(
            Section(
                title=heading,
                title_path=(heading,),
                role=role,
                start_char=start,
                end_char=len(text) - 2,
                blocks=tuple(blocks),
            )
        )
    return a_document().model_copy(update={"text": text[:-2], "sections": tuple(sections)})


def test_one_unreadable_document_does_not_cost_its_window() -> None:
    tagger = WordTagger(errors={"unreadable": EmbeddingInputTooLongError("too long.")})
    documents = [
        written("aspirin.", doc_id="a"),
        written("unreadable", doc_id="b"),
        written("ASA", doc_id="c"),
    ]
    first, second, third = an_extractor(tagger).extract_batch(documents)
    assert tagger.calls == [3] and isinstance(second, EmbeddingInputTooLongError)
    assert [len(values_of([each])[0][0]) for each in (first, third)] == [1, 1]


def test_large_documents_go_to_the_tagger_in_several_calls_and_keep_their_order() -> None:
    tagger = WordTagger()
    documents = [written("aspirin " + "word " * 25_000, doc_id=str(number)) for number in range(5)]
    outcomes: list[Found] = values_of(an_extractor(tagger).extract_batch(documents))
    assert tagger.calls == [2, 2, 1]
    assert [each[0][0].doc_id for each in outcomes] == ["0", "1", "2", "3", "4"]


def test_without_a_model_it_finds_nothing_and_asks_nothing() -> None:
    tagger = WordTagger()
    off = an_extractor(tagger, model=None)
    assert off.extract_batch([written("aspirin")]) == [([], [])] and tagger.calls == []
    assert off.shape == {"model": "none"}


def test_an_unavailable_plane_raises() -> None:
    class Unavailable(WordTagger):
        def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
            raise PlaneUnavailableError("starting.")

    with pytest.raises(PlaneUnavailableError):
        an_extractor(Unavailable()).extract_batch([written("aspirin")])


def test_claims_between_given_mentions_are_of_these_mentions_alone() -> None:
    document = written("aspirin and heparin caused bleeding.")
    findings = Findings(document, "gold")
    drug = findings.mention("Drug", Span(start_char=12, end_char=19), concept="MESH:D006493")
    condition = findings.mention("Condition", Span(start_char=27, end_char=35), concept="MESH:D006470")
    (claims,) = values_of(an_extractor().relate([(document, [drug, condition])]))
    assert [(each.subject, each.predicate, each.object) for each in claims] == [
        (drug.entity_id, "causes", condition.entity_id)
    ]


def test_the_same_document_gives_the_same_ids() -> None:
    document = written("aspirin may cause bleeding. No nausea came.")
    assert extracted(document) == extracted(document)
