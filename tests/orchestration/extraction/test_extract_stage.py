"""The extract stage: the extractors of a document's source, and only what is grounded."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from medkg.testing.builders import a_context, a_document, a_payload, a_study
from medkg.testing.stage_suite import ExtractStageSuite, KGStageSuite
from orchestration.contracts import (
    CountedExtraction,
    Extraction,
    Extractor,
    Found,
    Linker,
    Outcome,
    values_of,
)
from orchestration.errors import (
    ConfigurationError,
    DagsterStageTimeoutError,
    PlaneUnavailableError,
    StageFailedError,
)
from orchestration.extraction.findings import Findings
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.registry import RegistryExtractor
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.records import Document, GraphWriteReceipt, Span, StageContext
from orchestration.stages.extract import Extract
from orchestration.stages.kg import Kg
from orchestration.topology.shipped import shipped_folder

SCHEMA = load_graph_schema(shipped_folder())


def check(document: Document, extraction: Extraction) -> tuple[Extraction, Counter[str]]:
    result = grounded(document, extraction, SCHEMA)
    return result.extraction, result.dropped


class Inventing:
    """Names the first word of the text a drug, and a drug that is not in it."""

    name = "inventing"
    version = "1"

    def extract(self, document: Document) -> Extraction:
        findings = Findings(document, "inventing/1")
        word = findings.mention("Drug", Span(start_char=0, end_char=len(document.text.split()[0])))
        invented = word.model_copy(update={"entity_id": "e0", "name": "Panacea"})
        return [word, invented], []


class Windowed:
    """Takes whole windows: names the first word of each text, and fails for the document `bad`."""

    name = "windowed"
    version = "1"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        """Raised for the whole call when `bad` is in it; None: the outcome of `bad` alone."""
        self.calls: list[list[str]] = []

    def extract_batch(self, documents: Sequence[Document]) -> list[Outcome[Extraction]]:
        self.calls.append([each.doc_id for each in documents])
        if self.error is not None and any(each.doc_id == "bad" for each in documents):
            raise self.error
        return [self._one(each) for each in documents]

    def _one(self, document: Document) -> Outcome[Extraction]:
        if document.doc_id == "bad":
            return StageFailedError("bad: unreadable.")
        findings = Findings(document, "windowed/1")
        findings.mention("Drug", Span(start_char=0, end_char=len(document.text.split()[0])))
        return findings.extraction()


class Hanging:
    """Never returns for the document `bad`."""

    name = "hanging"
    version = "1"

    def extract(self, document: Document) -> Extraction:
        if document.doc_id == "bad":
            threading.Event().wait()
        return [], []


class Drugs:
    """A linker that knows one concept."""

    version = "1"

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> list[Outcome[Extraction]]:
        return [
            ([each.model_copy(update={"concept": "MESH:D1"}) for each in mentions], claims)
            for _, (mentions, claims) in items
        ]


INSTALLED: dict[str, Callable[[], Extractor]] = {"registry": RegistryExtractor, "inventing": Inventing}


def a_stage(**extractors: list[str]) -> Extract:
    return Extract(INSTALLED, check, {"default": [], **extractors}, timeout_seconds=30)


def a_stage_of(extractor: Any, *, timeout_seconds: float = 30, linker: Linker | None = None) -> Extract:
    installed = {"only": lambda: extractor, "none": Hanging}
    sources = {"default": ["only"], "silent": []}
    return Extract(installed, check, sources, timeout_seconds=timeout_seconds, linker=linker)


def a_window(*doc_ids: str) -> list[tuple[StageContext, Document]]:
    document = a_document()
    return [(a_context(each), document.model_copy(update={"doc_id": each})) for each in doc_ids]


def a_trial() -> Document:
    payload = a_payload(json.dumps(a_study()), "ctgov-v2", doc_id="doc", source="clinicaltrials")
    return ClinicalTrialsParser().parse(payload, "default")


class TestExtractOfTrials(ExtractStageSuite):
    stage = pytest.fixture(lambda self: a_stage(clinicaltrials=["registry", "inventing"]))
    value = pytest.fixture(lambda self: a_trial())


class MemoryGraph:
    """A writer that forgets what it is given."""

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, Extraction]]
    ) -> list[Outcome[GraphWriteReceipt]]:
        return [
            GraphWriteReceipt(
                key=ctx.key,
                version=ctx.version,
                fingerprint=ctx.fingerprint,
                intent_id="intent",
                entity_count=len(mentions),
                claim_count=len(claims),
            )
            for ctx, (mentions, claims) in items
        ]

    def lost(self, receipts: Sequence[GraphWriteReceipt]) -> list[GraphWriteReceipt]:
        return []


def a_kg_stage() -> Kg:
    return Kg(MemoryGraph(), "owner")


class TestKg(KGStageSuite):
    stage = pytest.fixture(lambda self: a_kg_stage())
    value = pytest.fixture(lambda self: RegistryExtractor().extract(a_trial()))


def test_each_source_has_its_extractors_and_others_the_default() -> None:
    stage = a_stage(clinicaltrials=["registry"], default=["inventing"])
    trial, _ = stage.execute(a_context("doc"), a_trial())
    assert {each.extraction for each in trial} == {f"registry/{RegistryExtractor.version}"}
    other, _ = stage.execute(a_context("doc-1"), a_document())
    assert {each.extraction for each in other} == {"inventing/1"}
    assert a_stage().execute(a_context("doc-1"), a_document()) == ([], [])


def test_what_an_extractor_invents_is_dropped_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    mentions, _ = a_stage(files=["inventing"]).execute(a_context("doc-1"), a_document())
    assert [each.name for each in mentions] == ["Effects"]
    assert "mention not in the text" in "".join(capsys.readouterr())


def test_an_unknown_extractor_and_a_missing_default_are_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"'gliner' for files, .* available: inventing, registry"):
        a_stage(files=["gliner"])
    with pytest.raises(ConfigurationError, match="default"):
        Extract(INSTALLED, check, {"files": []}, timeout_seconds=30)


def test_a_window_goes_to_a_batch_extractor_in_one_call_and_an_error_stays_with_its_document() -> None:
    windowed = Windowed()
    silent = a_document().model_copy(update={"source": "silent"})
    window = [*a_window("a", "bad", "b"), (a_context("doc-1"), silent)]
    outcomes = a_stage_of(windowed).execute_batch(window)
    bad = outcomes[1]
    first, second, nothing = values_of([outcomes[0], *outcomes[2:]])
    assert windowed.calls == [["a", "bad", "b"]]
    assert [each.doc_id for each in first[0] + second[0]] == ["a", "b"]
    assert isinstance(bad, StageFailedError)
    assert nothing == ([], [])


def test_a_batch_extractor_that_raises_costs_only_the_document_for_which_it_raises() -> None:
    outcomes = a_stage_of(Windowed(ValueError("no such tag"))).execute_batch(a_window("a", "bad", "b"))
    assert [isinstance(each, StageFailedError) for each in outcomes] == [False, True, False]
    assert "extractor windowed raised ValueError: no such tag" in str(outcomes[1])


class Counting:
    """Says that it dropped two quotes of each document."""

    name = "counting"
    version = "1"

    def extract(self, document: Document) -> Found:
        return CountedExtraction([], [], {"quote not in the text": 2})


def test_what_an_extractor_itself_dropped_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert a_stage_of(Counting()).execute_batch(a_window("a")) == [([], [])]
    assert "'quote not in the text': 2" in "".join(capsys.readouterr())


def test_an_unavailable_service_raises_so_that_the_window_is_handed_back() -> None:
    with pytest.raises(PlaneUnavailableError):
        a_stage_of(Windowed(PlaneUnavailableError("starting."))).execute_batch(a_window("a", "bad"))


def test_a_document_that_hangs_at_an_extractor_fails_alone() -> None:
    outcomes = a_stage_of(Hanging(), timeout_seconds=3).execute_batch(a_window("a", "bad", "b"))
    assert [isinstance(each, DagsterStageTimeoutError) for each in outcomes] == [False, True, False]


def test_the_linker_sees_what_is_grounded_and_leaves_errors() -> None:
    stage = a_stage_of(Windowed(), linker=Drugs())
    first, bad = stage.execute_batch(a_window("a", "bad"))
    ((mentions, _),) = values_of([first])
    assert [each.concept for each in mentions] == ["MESH:D1"]
    assert isinstance(bad, StageFailedError)
