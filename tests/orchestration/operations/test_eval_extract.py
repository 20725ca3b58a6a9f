"""Extraction measured against gold: what each part is given, and what is reported of failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from medkg.testing.builders import a_study
from orchestration.assembly import Assembly
from orchestration.contracts import (
    CountedExtraction,
    EffectAnswer,
    EffectQuestion,
    Extraction,
    Found,
    Outcome,
    SourceRequest,
)
from orchestration.errors import ConfigurationError, StageFailedError, UsageError
from orchestration.extraction.findings import Findings
from orchestration.operations.eval_extract import ExtractionQuestions, eval_extract
from orchestration.records import Claim, Document, Entity, Span
from orchestration.settings import load_settings

TEXT = "Metformin caused nausea.\nIt lowered glucose."
NAMES = {"Metformin": ("Drug", "MESH:D008687"), "nausea": ("Condition", "MESH:D009325")}


def a_line(doc_id: str = "1", **fields: Any) -> dict[str, Any]:
    mentions = [
        {
            "id": words,
            "start": TEXT.index(words),
            "end": TEXT.index(words) + len(words),
            "text": words,
            "kind": kind,
            "concepts": [concept],
        }
        for words, (kind, concept) in NAMES.items()
    ]
    relation = {"predicate": "causes", "subject": "Metformin", "object": "nausea"}
    return {"doc_id": doc_id, "text": TEXT, "mentions": mentions, "relations": [relation]} | fields


CLAIM = {
    "id": "q",
    "intervention": "metformin",
    "comparator": "none",
    "outcome": "glucose",
    "judgements": [{"direction": "decreased", "start": 25, "end": 43}],
}


def spans_of(document: Document, words: str) -> Span:
    start = document.text.index(words)
    return Span(start_char=start, end_char=start + len(words))


class Reading:
    """Finds the drug alone, drops one quote, relates what it is given, and answers with the last line."""

    name = "reading"
    version = "1"

    def extract(self, document: Document) -> Found:
        findings = Findings(document, "reading/1")
        findings.mention("Drug", spans_of(document, "Metformin"))
        return CountedExtraction(*findings.extraction(), {"quote not in the text": 1})

    def relate(self, items: Sequence[tuple[Document, Sequence[Entity]]]) -> list[Outcome[list[Claim]]]:
        return [self._caused(document, entities) for document, entities in items]

    def _caused(self, document: Document, entities: Sequence[Entity]) -> list[Claim]:
        findings = Findings(document, "reading/1")
        return [
            findings.claim(drug, "causes", condition)
            for drug in entities
            for condition in entities
            if (drug.kind, condition.kind) == ("Drug", "Condition")
        ]

    def answer(
        self, items: Sequence[tuple[Document, Sequence[EffectQuestion]]]
    ) -> list[Outcome[list[EffectAnswer | None]]]:
        return [
            [EffectAnswer("decreased", (spans_of(document, "lowered"),)) for _ in questions]
            for document, questions in items
        ]


class Failing(Reading):
    name = "failing"

    def extract(self, document: Document) -> Found:
        if document.doc_id == "2":
            raise StageFailedError("no sentence.")
        return super().extract(document)


class WrongKey(Reading):
    """Its server refuses the key, which concerns every document."""

    name = "wrong_key"

    def extract(self, document: Document) -> Found:
        raise ConfigurationError("the server refused the key. Check it.")


class Off(Reading):
    name = "off"
    shape: ClassVar = {"model": "none"}


class Names:
    """A linker by exact names."""

    version = "1"

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> list[Outcome[Extraction]]:
        return [([self._linked(entity) for entity in entities], claims) for _, (entities, claims) in items]

    def _linked(self, entity: Entity) -> Entity:
        kind, concept = NAMES.get(entity.name, (entity.kind, entity.concept))
        return entity.model_copy(update={"concept": concept}) if kind == "Drug" else entity


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Measures these lines of gold; extractors are those of this file and `registry`."""
    assembly = Assembly(load_settings(data_dir=tmp_path / "data"))
    own = {each.name: each for each in (Reading, Failing, Off, WrongKey)}
    vars(assembly)["extractors"] = {**assembly.extractors, **own}
    notes: list[str] = []

    def measure(*lines: dict[str, Any], linker: object = None, **fields: Any) -> dict[str, Any]:
        vars(assembly)["linker"] = linker
        gold = tmp_path / "gold.jsonl"
        gold.write_text("".join(json.dumps(line) + "\n" for line in lines))
        questions = ExtractionQuestions([gold], **{"extractors": ["reading"], **fields})
        return {**eval_extract(assembly, questions, notes.append), "notes": notes}

    return measure


def counts(value: dict[str, Any], measure: str, kind: str = "all") -> tuple[int, int, int] | None:
    """(right, predicted, gold) of a row."""
    for each in value["scores"]:
        if (each["measure"], each["kind"]) == (measure, kind):
            return each["right"], each["predicted"], each["gold"]
    return None


def test_an_extractor_is_measured_end_to_end_and_on_gold_mentions(run: Run) -> None:
    measured = run(a_line("1"), a_line("2"))["extractors"]["reading"]
    assert counts(measured, "mentions") == (2, 2, 4)
    assert counts(measured, "mentions", "Condition") == (0, 0, 2)
    assert counts(measured, "relations") == (0, 0, 2)
    assert counts(measured, "gold_relations") == (2, 2, 2)
    assert measured["dropped"] == {"quote not in the text": 2}
    assert measured["grounded"] == 0.5


def test_links_are_those_of_the_linker_and_it_is_measured_on_gold_mentions(run: Run) -> None:
    value = run(a_line("1"), linker=Names())
    assert counts(value["extractors"]["reading"], "links") == (1, 1, 1)
    assert counts(value["linker"], "gold_links") == (1, 1, 2)
    assert counts(value["linker"], "gold_links", "Condition") == (0, 0, 1)


def test_claims_are_answered_where_the_extractor_answers(run: Run) -> None:
    value = run(a_line("1", claims=[CLAIM]), extractors=["reading", "registry"])
    assert counts(value["extractors"]["reading"], "claims") == (1, 1, 1)
    assert counts(value["extractors"]["reading"], "evidence") == (1, 1, 1)
    assert counts(value["extractors"]["registry"], "claims") is None


def test_a_document_on_which_an_extractor_fails_is_named_and_counts_as_empty(run: Run) -> None:
    measured = run(a_line("1"), a_line("2"), extractors=["failing"])["extractors"]["failing"]
    assert [(each["doc_id"], each["code"]) for each in measured["failed"]] == [("2", "MEDKG-300")]
    assert counts(measured, "mentions") == (1, 1, 4)


def test_what_concerns_every_document_ends_the_measurement(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="refused the key"):
        run(a_line("1"), a_line("2"), extractors=["wrong_key"])


def test_extractors_are_compared_with_each_other(run: Run) -> None:
    (pair,) = run(a_line("1"), extractors=["reading", "failing"])["agreement"]
    assert (pair["a"], pair["b"], pair["mentions_f1"], pair["kappa"]) == ("reading", "failing", 1.0, 1.0)


def test_kinds_can_be_named_and_narrowed(run: Run) -> None:
    line = a_line("1")
    line["mentions"][0]["kind"] = "Medicine"
    value = run(line, kinds={"Medicine": "Drug"}, only=["Drug"])
    assert counts(value["extractors"]["reading"], "mentions") == (1, 1, 1)


def test_what_the_graph_does_not_know_is_counted_and_named(run: Run) -> None:
    line = a_line("1")
    line["mentions"][0]["kind"] = "Medicine"
    line["relations"][0]["predicate"] = "brings"
    value = run(line)
    assert value["gold"]["unmapped_kinds"] == {"Medicine": 1}
    assert value["gold"]["unmapped_predicates"] == {"brings": 1}
    assert any("kind Medicine (1) is not in graph.yaml" in note for note in value["notes"])
    assert counts(value["extractors"]["reading"], "mentions") == (0, 0, 1)


def test_floors_are_reported_with_what_was_measured(run: Run) -> None:
    value = run(a_line("1"), linker=Names(), floors=["mentions.Drug.f1=0.9", "linker:gold_links.recall=0.6"])
    assert [(each["extractor"], each["figure"], each["met"]) for each in value["floors"]] == [
        ("reading", 1.0, True),
        ("linker", 0.5, False),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extractors": ["reader"]}, "there is no extractor 'reader'; installed: .*registry"),
        ({"extractors": ["off"]}, "extractor 'off' has no model, so it finds nothing"),
        ({"kinds": {"Disease": "Illness"}}, "graph.yaml has no kind 'Illness'; it has Trial"),
        ({"predicates": {"CID": "brings"}}, "graph.yaml has no predicate 'brings'"),
        ({"only": ["Illness"]}, "graph.yaml has no kind 'Illness'"),
        ({"floors": ["mentions"]}, "floor 'mentions' is not"),
    ],
)
def test_what_is_not_there_is_wrong_use(run: Run, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(a_line("1"), **fields)


# --- records ---------------------------------------------------------------------------------------------


def a_trial(run_folder: Path) -> dict[str, Any]:
    """Gold of a trial's record, which is written beside it."""
    path = run_folder / "trial.json"
    path.write_text(json.dumps(a_study("NCT00000001")))
    with Assembly(load_settings(data_dir=run_folder / "data")).reader() as reader:
        (document,) = reader.read(SourceRequest(plugin="files", paths=(str(path),)))
    assert isinstance(document, Document)
    start = document.text.index("Insomnia")
    mention = {"id": "i", "start": start, "end": start + 8, "text": "Insomnia", "kind": "Condition"}
    relation = {"predicate": "studies", "subject": "NCT:NCT00000001", "object": "i"}
    return {
        "doc_id": "NCT00000001",
        "text": document.text,
        "record": "trial.json",
        "mentions": [mention],
        "relations": [relation],
    }


def test_a_record_is_read_as_its_source_is(run: Run, tmp_path: Path) -> None:
    measured = run(a_trial(tmp_path), extractors=["registry"])["extractors"]["registry"]
    assert counts(measured, "mentions") == (1, 1, 1)
    assert counts(measured, "relations") == (1, 1, 1)


def test_a_record_that_has_another_text_is_left_out(run: Run, tmp_path: Path) -> None:
    trial = a_trial(tmp_path)
    value = run(a_line("1"), trial | {"text": trial["text"] + " More."})
    (excluded,) = value["gold"]["excluded"]
    assert (excluded["doc_id"], excluded["line"]) == ("NCT00000001", 2)
    assert "is parsed to another text" in excluded["reason"]
    assert value["gold"]["documents"] == 1
