"""What every stage must do, one suite per stage protocol, for our stages and plugins.

Subclass the suite of your stage's protocol in a test module, and give it the stage and an input that the
stage can work on:

    class TestMyChunker(ChunkStageSuite):
        @pytest.fixture
        def stage(self):
            return MyChunker(size=200)

        @pytest.fixture
        def value(self):
            return a_document("Aspirin lowers the risk of stroke.")

A suite also checks the batch form, pickling where the stage runs in worker processes, and that its
`execute` says by its annotations what the protocol takes and gives. Nothing in here needs a plugin's code
to know of medkg's tests: `value` and `stage` are all it asks for.
"""

from __future__ import annotations

import inspect
import pickle
from copy import deepcopy
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

import numpy as np
import pytest

from orchestration.contracts import Isolation, lift
from orchestration.errors import MedkgError
from orchestration.records import (
    AdapterRequest,
    Chunk,
    Claim,
    Document,
    EmbeddingBatch,
    Entity,
    GraphWriteReceipt,
    IndexReceipt,
    RawPayload,
    StageContext,
)
from orchestration.runs.artifacts import VALUE_TYPES, is_value
from orchestration.topology.graph import SIGNATURES
from orchestration.topology.models import StageType

__all__ = [
    "ChunkStageSuite",
    "DownloadStageSuite",
    "EmbedStageSuite",
    "ExtractStageSuite",
    "IndexStageSuite",
    "IngestStageSuite",
    "KGStageSuite",
    "ParseStageSuite",
    "ValidateStageSuite",
]

Value = TypeVar("Value")
Given = TypeVar("Given")


class StageSuite(Generic[Value, Given]):
    """What holds for a stage of any protocol."""

    step: ClassVar[StageType]
    """Type of the step in a topology."""
    parameters: ClassVar[tuple[Any, ...]]
    """Types of what `execute` takes after the context."""

    @pytest.fixture
    def stage(self) -> Any:
        """The stage under test."""
        raise NotImplementedError("give the suite a `stage` fixture")

    @pytest.fixture
    def value(self) -> Value:
        """An input that the stage can work on; a tuple where `execute` takes two."""
        raise NotImplementedError("give the suite a `value` fixture")

    @pytest.fixture
    def ctx(self) -> StageContext:
        """The context of that input; replace it when the stage looks at more than the ids."""
        return a_stage_context()

    # --- checks of every stage ----------------------------------------------------------------------

    def test_execute_gives_what_the_protocol_says(self, stage: Any, ctx: StageContext, value: Value) -> None:
        output = self.execute(stage, ctx, value)
        assert is_value(SIGNATURES[self.step].gives, output), f"execute gave {type(output).__name__}"
        self.check(ctx, value, output)

    def test_the_batch_form_gives_one_outcome_a_document_in_order(
        self, stage: Any, ctx: StageContext, value: Value
    ) -> None:
        outcomes = lift(stage).execute_batch([(ctx, value)] * 3)
        assert len(outcomes) == 3
        for outcome in outcomes:
            assert not isinstance(outcome, MedkgError), outcome
            assert is_value(SIGNATURES[self.step].gives, outcome)
            self.check(ctx, value, outcome)

    def test_no_documents_give_no_outcomes(self, stage: Any) -> None:
        assert list(lift(stage).execute_batch([])) == []

    def test_the_same_input_gives_the_same_output(self, stage: Any, ctx: StageContext, value: Value) -> None:
        first, second = (self.execute(stage, ctx, value) for _ in range(2))
        self.check_same(first, second)

    def test_the_input_is_left_as_it_was(self, stage: Any, ctx: StageContext, value: Value) -> None:
        before = deepcopy((ctx, value))
        self.execute(stage, ctx, value)
        assert repr((ctx, value)) == repr(before)

    def test_its_output_travels_between_processes(self, stage: Any, ctx: StageContext, value: Value) -> None:
        output = self.execute(stage, ctx, value)
        assert is_value(SIGNATURES[self.step].gives, pickle.loads(pickle.dumps(output)))

    def test_it_says_in_which_version_it_works(self, stage: Any) -> None:
        version = getattr(stage, "version", None)
        assert isinstance(version, str), "set `version`: it changes whenever the output changes"
        assert version

    def test_it_says_where_it_may_run_if_at_all(self, stage: Any) -> None:
        assert getattr(stage, "isolation", Isolation.PROCESS) in set(Isolation)

    def test_execute_is_annotated_as_the_protocol_says(self, stage: Any) -> None:
        hints = get_type_hints(stage.execute)
        names = list(inspect.signature(stage.execute).parameters)
        assert hints[names[0]] is StageContext
        assert tuple(hints[name] for name in names[1:]) == self.parameters
        assert hints["return"] == VALUE_TYPES[SIGNATURES[self.step].gives]

    # --- to be refined by a protocol ----------------------------------------------------------------

    def execute(self, stage: Any, ctx: StageContext, value: Value) -> Given:
        output: Given = stage.execute(ctx, value)
        return output

    def check(self, ctx: StageContext, value: Value, output: Any) -> None:
        """What the protocol promises of an output."""

    def check_same(self, first: Given, second: Given) -> None:
        assert first == second


class IngestStageSuite(StageSuite[AdapterRequest, list[RawPayload]]):
    """For implementations of IngestStage."""

    step = "ingest"
    parameters = (AdapterRequest,)

    def check(self, ctx: StageContext, value: AdapterRequest, output: list[RawPayload]) -> None:
        assert output, "no payload"
        for payload in output:
            assert payload.doc_id == value.doc_id
            assert len(payload.version) == 64, "version is the sha256 hex of the content"
            assert payload.content


class DownloadStageSuite(StageSuite[list[RawPayload], list[RawPayload]]):
    """For implementations of DownloadStage."""

    step = "download"
    parameters = (list[RawPayload],)

    def check(self, ctx: StageContext, value: list[RawPayload], output: list[RawPayload]) -> None:
        assert output, "no payload"
        assert {payload.doc_id for payload in output} == {payload.doc_id for payload in value}


class ParseStageSuite(StageSuite[list[RawPayload], Document]):
    """For implementations of ParseStage."""

    step = "parse"
    parameters = (list[RawPayload],)

    def check(self, ctx: StageContext, value: list[RawPayload], output: Document) -> None:
        assert (output.tenant_id, output.doc_id) == (ctx.tenant_id, value[0].doc_id)
        assert output.version == value[0].version
        assert_sound(output)


class ValidateStageSuite(StageSuite[Document, Document]):
    """For implementations of ValidateStage."""

    step = "ir-validation"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, output: Document) -> None:
        assert (output.tenant_id, output.doc_id, output.version) == (
            value.tenant_id,
            value.doc_id,
            value.version,
        )
        assert_sound(output)


class ChunkStageSuite(StageSuite[Document, list[Chunk]]):
    """For implementations of ChunkStage."""

    step = "chunk"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, output: list[Chunk]) -> None:
        assert output, "no chunk"
        assert len({chunk.chunk_id for chunk in output}) == len(output)
        assert [chunk.ordinal for chunk in output] == list(range(len(output)))
        for chunk in output:
            assert value.text[chunk.start_char : chunk.end_char] == chunk.body, (
                "a body is a slice of the text"
            )
            assert chunk.body.strip()
            assert (chunk.tenant_id, chunk.doc_id, chunk.version) == (
                value.tenant_id,
                value.doc_id,
                value.version,
            )


class EmbedStageSuite(StageSuite[list[Chunk], EmbeddingBatch]):
    """For implementations of EmbedStage."""

    step = "embed"
    parameters = (list[Chunk],)

    def check(self, ctx: StageContext, value: list[Chunk], output: EmbeddingBatch) -> None:
        assert list(output.chunks) == value
        assert output.dense.dtype == np.float32
        assert output.dense.shape[0] == len(value)
        assert np.isfinite(output.dense).all()
        np.testing.assert_allclose(np.linalg.norm(output.dense, axis=1), 1, rtol=1e-3)
        assert "dense" in output.model_ids, "say which model made the vectors"
        assert ("sparse" in output.model_ids) == (output.sparse is not None), "and which made the terms"
        if output.sparse is not None:
            assert output.sparse.values.dtype == np.float32 and (output.sparse.values > 0).all()
            for number in range(len(output.sparse)):
                terms, _ = output.sparse.row(number)
                assert (np.diff(terms) > 0).all() and (terms < output.sparse.vocabulary).all()

    def check_same(self, first: EmbeddingBatch, second: EmbeddingBatch) -> None:
        np.testing.assert_allclose(first.dense, second.dense, atol=1e-5)


class IndexStageSuite(StageSuite[EmbeddingBatch, IndexReceipt]):
    """For implementations of IndexStage; running it twice on one document is allowed and harmless."""

    step = "index"
    parameters = (EmbeddingBatch,)

    def check(self, ctx: StageContext, value: EmbeddingBatch, output: IndexReceipt) -> None:
        assert output.key == ctx.key
        assert output.chunk_count == len(value.chunks)
        assert output.intent_id

    def check_same(self, first: IndexReceipt, second: IndexReceipt) -> None:
        assert first.model_copy(update={"intent_id": second.intent_id}) == second


class ExtractStageSuite(StageSuite[Document, tuple[list[Entity], list[Claim]]]):
    """For implementations of ExtractStage."""

    step = "extract"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, output: tuple[list[Entity], list[Claim]]) -> None:
        entities, claims = output
        mentioned = {entity.entity_id for entity in entities}
        assert len(mentioned) == len(entities), "mentions have different ids"
        assert len({claim.claim_id for claim in claims}) == len(claims), "claims have different ids"
        records: list[Entity | Claim] = [*entities, *claims]
        for record in records:
            assert (record.tenant_id, record.doc_id) == (value.tenant_id, value.doc_id)
            assert record.extraction, "say what found it"
            for span in spans_of(record):
                assert 0 <= span.start_char < span.end_char <= len(value.text), "evidence is in the document"
        for entity in entities:
            assert value.text[entity.span.start_char : entity.span.end_char] == entity.name
        for claim in claims:
            assert {claim.subject, claim.object} <= mentioned, "a claim joins mentions of the document"
            for qualifier in claim.qualifiers:
                assert value.text[qualifier.span.start_char : qualifier.span.end_char] == qualifier.value


class KGStageSuite(StageSuite[tuple[list[Entity], list[Claim]], GraphWriteReceipt]):
    """For implementations of KGStage; `value` is a pair of entities and claims."""

    step = "kg"
    parameters = (list[Entity], list[Claim])

    def execute(
        self, stage: Any, ctx: StageContext, value: tuple[list[Entity], list[Claim]]
    ) -> GraphWriteReceipt:
        output: GraphWriteReceipt = stage.execute(ctx, *value)
        return output

    def check(
        self, ctx: StageContext, value: tuple[list[Entity], list[Claim]], output: GraphWriteReceipt
    ) -> None:
        assert (output.key, output.version, output.fingerprint) == (ctx.key, ctx.version, ctx.fingerprint)
        assert output.intent_id
        assert (output.entity_count, output.claim_count) == (len(value[0]), len(value[1]))

    def check_same(self, first: GraphWriteReceipt, second: GraphWriteReceipt) -> None:
        assert first.model_copy(update={"intent_id": second.intent_id}) == second


def a_stage_context() -> StageContext:
    """The context that the runner makes for a document of the files source."""
    return StageContext(
        tenant_id="default",
        job_id="job",
        doc_id="doc",
        correlation_id="correlation",
        metadata={"source": "files", "version": "0" * 64, "fingerprint": "f" * 64},
        pipeline_name="auto",
        pipeline_version="2026-11-23",
    )


def assert_sound(document: Document) -> None:
    """Text is there, and every section and block lies within it, in order."""
    assert document.text.strip()
    waiting = [(section, len(document.text)) for section in document.sections]
    while waiting:
        section, end = waiting.pop()
        assert 0 <= section.start_char <= section.end_char <= end
        for block in section.blocks:
            assert section.start_char <= block.start_char <= block.end_char <= section.end_char
        waiting.extend((child, section.end_char) for child in section.sections)


def spans_of(record: Any) -> list[Any]:
    """Spans that a record carries as evidence, whatever the field is called."""
    values = [getattr(record, name) for name in type(record).model_fields]
    flat = [item for value in values for item in (value if isinstance(value, tuple | list) else [value])]
    return [item for item in flat if hasattr(item, "start_char") and hasattr(item, "end_char")]
