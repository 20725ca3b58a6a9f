"""What every stage must do, one suite a stage protocol: ours run through it, and so should a user's.

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
        given = self.execute(stage, ctx, value)
        assert is_value(SIGNATURES[self.step].gives, given), f"execute gave {type(given).__name__}"
        self.check(ctx, value, given)

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
        given = self.execute(stage, ctx, value)
        assert is_value(SIGNATURES[self.step].gives, pickle.loads(pickle.dumps(given)))

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
        given: Given = stage.execute(ctx, value)
        return given

    def check(self, ctx: StageContext, value: Value, given: Any) -> None:
        """What the protocol promises of an output."""

    def check_same(self, first: Given, second: Given) -> None:
        assert first == second


class IngestStageSuite(StageSuite[AdapterRequest, list[RawPayload]]):
    """For implementations of IngestStage."""

    step = "ingest"
    parameters = (AdapterRequest,)

    def check(self, ctx: StageContext, value: AdapterRequest, given: list[RawPayload]) -> None:
        assert given, "no payload"
        for payload in given:
            assert payload.doc_id == value.doc_id
            assert len(payload.version) == 64, "version is the sha256 hex of the content"
            assert payload.content


class DownloadStageSuite(StageSuite[list[RawPayload], list[RawPayload]]):
    """For implementations of DownloadStage."""

    step = "download"
    parameters = (list[RawPayload],)

    def check(self, ctx: StageContext, value: list[RawPayload], given: list[RawPayload]) -> None:
        assert given, "no payload"
        assert {payload.doc_id for payload in given} == {payload.doc_id for payload in value}


class ParseStageSuite(StageSuite[list[RawPayload], Document]):
    """For implementations of ParseStage."""

    step = "parse"
    parameters = (list[RawPayload],)

    def check(self, ctx: StageContext, value: list[RawPayload], given: Document) -> None:
        assert (given.tenant_id, given.doc_id) == (ctx.tenant_id, value[0].doc_id)
        assert given.version == value[0].version
        assert_sound(given)


class ValidateStageSuite(StageSuite[Document, Document]):
    """For implementations of ValidateStage."""

    step = "ir-validation"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, given: Document) -> None:
        assert (given.tenant_id, given.doc_id, given.version) == (
            value.tenant_id,
            value.doc_id,
            value.version,
        )
        assert_sound(given)


class ChunkStageSuite(StageSuite[Document, list[Chunk]]):
    """For implementations of ChunkStage."""

    step = "chunk"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, given: list[Chunk]) -> None:
        assert given, "no chunk"
        assert len({chunk.chunk_id for chunk in given}) == len(given)
        assert [chunk.ordinal for chunk in given] == list(range(len(given)))
        for chunk in given:
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

    def check(self, ctx: StageContext, value: list[Chunk], given: EmbeddingBatch) -> None:
        assert list(given.chunks) == value
        assert given.dense.dtype == np.float32
        assert given.dense.shape[0] == len(value)
        assert np.isfinite(given.dense).all()
        np.testing.assert_allclose(np.linalg.norm(given.dense, axis=1), 1, rtol=1e-3)
        assert "dense" in given.model_ids, "say which model made the vectors"
        assert ("sparse" in given.model_ids) == (given.sparse is not None), "and which made the terms"
        if given.sparse is not None:
            assert given.sparse.values.dtype == np.float32 and (given.sparse.values > 0).all()
            for number in range(len(given.sparse)):
                terms, _ = given.sparse.row(number)
                assert (np.diff(terms) > 0).all() and (terms < given.sparse.vocabulary).all()

    def check_same(self, first: EmbeddingBatch, second: EmbeddingBatch) -> None:
        np.testing.assert_allclose(first.dense, second.dense, atol=1e-5)


class IndexStageSuite(StageSuite[EmbeddingBatch, IndexReceipt]):
    """For implementations of IndexStage; running it twice on one document is allowed and harmless."""

    step = "index"
    parameters = (EmbeddingBatch,)

    def check(self, ctx: StageContext, value: EmbeddingBatch, given: IndexReceipt) -> None:
        assert given.key == ctx.key
        assert given.chunk_count == len(value.chunks)
        assert given.intent_id

    def check_same(self, first: IndexReceipt, second: IndexReceipt) -> None:
        assert first.model_copy(update={"intent_id": second.intent_id}) == second


class ExtractStageSuite(StageSuite[Document, tuple[list[Entity], list[Claim]]]):
    """For implementations of ExtractStage."""

    step = "extract"
    parameters = (Document,)

    def check(self, ctx: StageContext, value: Document, given: tuple[list[Entity], list[Claim]]) -> None:
        entities, claims = given
        for record in (*entities, *claims):
            for span in spans_of(record):
                assert 0 <= span.start_char < span.end_char <= len(value.text), "evidence is in the document"


class KGStageSuite(StageSuite[tuple[list[Entity], list[Claim]], GraphWriteReceipt]):
    """For implementations of KGStage; `value` is a pair of entities and claims."""

    step = "kg"
    parameters = (list[Entity], list[Claim])

    def execute(
        self, stage: Any, ctx: StageContext, value: tuple[list[Entity], list[Claim]]
    ) -> GraphWriteReceipt:
        given: GraphWriteReceipt = stage.execute(ctx, *value)
        return given

    def check(
        self, ctx: StageContext, value: tuple[list[Entity], list[Claim]], given: GraphWriteReceipt
    ) -> None:
        assert given.key == ctx.key
        assert (given.entity_count, given.claim_count) == (len(value[0]), len(value[1]))


def a_stage_context() -> StageContext:
    """A context as the runner makes one for a document of the files source."""
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
    flat = [one for value in values for one in (value if isinstance(value, tuple | list) else [value])]
    return [one for one in flat if hasattr(one, "start_char") and hasattr(one, "end_char")]
