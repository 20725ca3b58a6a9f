"""The extract stage: the extractors of a document's source, and only what is grounded."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from medkg.testing.builders import a_context, a_document, a_payload, a_study
from medkg.testing.stage_suite import ExtractStageSuite, KGStageSuite
from orchestration.contracts import Extraction, GraphWriter, Outcome
from orchestration.errors import ConfigurationError
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


INSTALLED = {"registry": RegistryExtractor, "inventing": Inventing}


def a_stage(**extractors: list[str]) -> Extract:
    return Extract(INSTALLED, check, {"default": [], **extractors})


def a_trial() -> Document:
    payload = a_payload(json.dumps(a_study()), "ctgov-v2", doc_id="doc", source="clinicaltrials")
    return ClinicalTrialsParser().parse(payload, "default")


class TestExtractOfTrials(ExtractStageSuite):
    stage = pytest.fixture(lambda self: a_stage(clinicaltrials=["registry", "inventing"]))
    value = pytest.fixture(lambda self: a_trial())


class MemoryGraph:
    """A writer that forgets what it is given."""

    def stage(
        self, tenant_id: str, owner: str, items: list[tuple[StageContext, Extraction]]
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


def a_kg_stage() -> Kg:
    writer: GraphWriter = MemoryGraph()  # type: ignore[assignment]
    return Kg(writer, "owner")


class TestKg(KGStageSuite):
    stage = pytest.fixture(lambda self: a_kg_stage())
    value = pytest.fixture(lambda self: RegistryExtractor().extract(a_trial()))


def test_each_source_has_its_extractors_and_others_the_default() -> None:
    stage = a_stage(clinicaltrials=["registry"], default=["inventing"])
    trial, _ = stage.execute(a_context("doc"), a_trial())
    assert {each.extraction for each in trial} == {"registry/1"}
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
        Extract(INSTALLED, check, {"files": []})
