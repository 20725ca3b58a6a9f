"""Stages keep their contracts: toys of every protocol, `lift`, and the built-in stages over small fakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from medkg.testing.stage_suite import (
    ChunkStageSuite,
    DownloadStageSuite,
    EmbedStageSuite,
    ExtractStageSuite,
    IndexStageSuite,
    IngestStageSuite,
    KGStageSuite,
    ParseStageSuite,
    ValidateStageSuite,
    a_stage_context,
)
from orchestration.contracts import Isolation, Outcome, PlaneUse, SourceRequest, Vectors, lift
from orchestration.errors import (
    ConfigurationError,
    EmptyDocumentError,
    MalformedDocumentError,
    StageContractError,
    StageFailedError,
)
from orchestration.records import (
    AdapterRequest,
    Block,
    BlockKind,
    Chunk,
    Claim,
    Document,
    EmbeddingBatch,
    Entity,
    GraphWriteReceipt,
    IndexReceipt,
    Locator,
    RawPayload,
    Section,
    SourceItem,
    Span,
    SparseMatrix,
    StageContext,
    chunk_id,
    content_version,
    local_concept,
)
from orchestration.stages.chunk import ChunkOnPlane
from orchestration.stages.embed import EmbedOnPlane
from orchestration.stages.ingest import Ingest
from orchestration.stages.ir_validation import IrValidation

TEXT = "Aspirin lowers the risk of stroke. It raises the risk of bleeding."

REQUEST = AdapterRequest(
    tenant_id="default", plugin="files", doc_id="doc", locator=Locator(uri="doc.txt", format="text")
)


def a_payload(text: str = TEXT) -> RawPayload:
    return RawPayload(
        doc_id="doc",
        source="files",
        format="text",
        content=text.encode(),
        uri="doc.txt",
        version=content_version(text.encode()),
    )


def a_text_document(text: str = TEXT) -> Document:
    block = Block(block_id="b0", kind=BlockKind.PARAGRAPH, start_char=0, end_char=len(text))
    section = Section(title="", title_path=(), start_char=0, end_char=len(text), blocks=(block,))
    return Document(
        doc_id="doc",
        tenant_id="default",
        source="files",
        version=content_version(text.encode()),
        title="",
        text=text,
        sections=(section,),
        parser="toy/1",
    )


def a_chunk_of(document: Document, start: int, end: int, ordinal: int) -> Chunk:
    return Chunk(
        chunk_id=chunk_id(document.source, document.doc_id, document.version, ordinal),
        doc_id=document.doc_id,
        tenant_id=document.tenant_id,
        version=document.version,
        ordinal=ordinal,
        body=document.text[start:end],
        title_path=(),
        section="",
        start_char=start,
        end_char=end,
        block_ids=("b0",),
        token_count=7,
        granularity="chunk",
        chunker="toy/default",
        chunker_version="1",
    )


def unit_vectors(texts: Sequence[str]) -> Any:
    vectors = np.array([[len(text), text.count("a") + 1, 1] for text in texts], dtype=np.float32).reshape(
        -1, 3
    )
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# --- toys: one a protocol, as short as a user's could be --------------------------------------------


class ToyIngest:
    version = "1"

    def execute(self, ctx: StageContext, request: AdapterRequest) -> list[RawPayload]:
        return [a_payload()]


class ToyDownload:
    version = "1"

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]:
        return [*payloads, payloads[0].model_copy(update={"format": "pdf"})]


class ToyParse:
    version = "1"

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> Document:
        return a_text_document(payloads[0].content.decode())


class ToyValidate:
    version = "1"

    def execute(self, ctx: StageContext, document: Document) -> Document:
        return document.model_copy(update={"language": "en-GB"})


class ToyChunk:
    """A chunk a sentence."""

    version = "1"

    def execute(self, ctx: StageContext, document: Document) -> list[Chunk]:
        middle = document.text.index(". ") + 1
        spans = [(0, middle), (middle + 1, len(document.text))]
        return [a_chunk_of(document, *span, ordinal) for ordinal, span in enumerate(spans)]


class ToyEmbed:
    version = "1"

    def execute(self, ctx: StageContext, chunks: list[Chunk]) -> EmbeddingBatch:
        return EmbeddingBatch(
            tuple(chunks), unit_vectors([chunk.body for chunk in chunks]), None, {"dense": "toy@1"}
        )


class ToyIndex:
    version = "1"

    def execute(self, ctx: StageContext, batch: EmbeddingBatch) -> IndexReceipt:
        return IndexReceipt(
            key=ctx.key,
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            intent_id="intent",
            chunk_count=len(batch.chunks),
            namespace=batch.model_ids.get("dense", "toy"),
        )


class ToyExtract:
    version = "1"

    def execute(self, ctx: StageContext, document: Document) -> tuple[list[Entity], list[Claim]]:
        span = Span(start_char=0, end_char=7)
        common: dict[str, Any] = {"tenant_id": "default", "doc_id": "doc", "extraction": "toy/1"}
        drug = Entity(
            entity_id="e0",
            kind="Drug",
            name=document.text[:7],
            span=span,
            concept=local_concept("Drug", document.text[:7]),
            **common,
        )
        claim = Claim(
            claim_id="c0", subject="e0", predicate="lowers", object="e0", evidence=(span,), **common
        )
        return [drug], [claim]


class ToyKg:
    version = "1"

    def execute(self, ctx: StageContext, entities: list[Entity], claims: list[Claim]) -> GraphWriteReceipt:
        return GraphWriteReceipt(
            key=ctx.key,
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            intent_id="intent",
            entity_count=len(entities),
            claim_count=len(claims),
        )


class TestToyIngest(IngestStageSuite):
    stage = pytest.fixture(lambda self: ToyIngest())
    value = pytest.fixture(lambda self: REQUEST)


class TestToyDownload(DownloadStageSuite):
    stage = pytest.fixture(lambda self: ToyDownload())
    value = pytest.fixture(lambda self: [a_payload()])


class TestToyParse(ParseStageSuite):
    stage = pytest.fixture(lambda self: ToyParse())
    value = pytest.fixture(lambda self: [a_payload()])


class TestToyValidate(ValidateStageSuite):
    stage = pytest.fixture(lambda self: ToyValidate())
    value = pytest.fixture(lambda self: a_text_document())


class TestToyChunk(ChunkStageSuite):
    stage = pytest.fixture(lambda self: ToyChunk())
    value = pytest.fixture(lambda self: a_text_document())


class TestToyEmbed(EmbedStageSuite):
    stage = pytest.fixture(lambda self: ToyEmbed())
    value = pytest.fixture(lambda self: ToyChunk().execute(a_stage_context(), a_text_document()))


class TestToyIndex(IndexStageSuite):
    stage = pytest.fixture(lambda self: ToyIndex())

    @pytest.fixture
    def value(self) -> EmbeddingBatch:
        chunks = ToyChunk().execute(a_stage_context(), a_text_document())
        return ToyEmbed().execute(a_stage_context(), chunks)


class TestToyExtract(ExtractStageSuite):
    stage = pytest.fixture(lambda self: ToyExtract())
    value = pytest.fixture(lambda self: a_text_document())


class TestToyKg(KGStageSuite):
    stage = pytest.fixture(lambda self: ToyKg())
    value = pytest.fixture(lambda self: ToyExtract().execute(a_stage_context(), a_text_document()))


# --- the built-in stages over fakes with behaviour ---------------------------------------------------


class MemorySource:
    """A source of one document."""

    name = "files"

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        yield SourceItem(doc_id="doc", source="files", locator=REQUEST.locator)

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        return [
            a_payload() if request.doc_id == "doc" else MalformedDocumentError(f"no {request.doc_id}")
            for request in requests
        ]


class MemoryDocuments:
    """A document store in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        self.kept.update({ctx.doc_id: document for ctx, document in documents})


class ToyPlane:
    """A plane without models: a chunk a sentence, vectors from letters."""

    profile = "cpu"
    model_ids: Mapping[str, str] = {"dense": "toy@1", "sparse": "letters@1"}

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        assert len(documents) == len(profiles)
        return [
            ToyChunk().execute(a_stage_context(), document) if ". " in document.text else []
            for document in documents
        ]

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        errors = {row: MalformedDocumentError("too long") for row, text in enumerate(texts) if len(text) > 50}
        letters = [np.array(sorted({ord(letter) % 64 for letter in text}), np.int32) for text in texts]
        terms = SparseMatrix.of_rows([(row, np.ones(len(row), np.float32)) for row in letters], 64)
        return Vectors(unit_vectors(texts), terms, errors)

    def use(self) -> PlaneUse:
        return PlaneUse({}, 0, 0)


class TestIngest(IngestStageSuite):
    stage = pytest.fixture(lambda self: Ingest({"files": MemorySource()}))
    value = pytest.fixture(lambda self: REQUEST)


class TestIrValidation(ValidateStageSuite):
    stage = pytest.fixture(lambda self: IrValidation(MemoryDocuments()))  # type: ignore[arg-type]
    value = pytest.fixture(lambda self: a_text_document())


class TestChunkOnPlane(ChunkStageSuite):
    stage = pytest.fixture(lambda self: ChunkOnPlane(ToyPlane(), 60, {"default": "default"}))
    value = pytest.fixture(lambda self: a_text_document())


class TestEmbedOnPlane(EmbedStageSuite):
    stage = pytest.fixture(lambda self: EmbedOnPlane(ToyPlane(), 60))
    value = pytest.fixture(lambda self: ToyChunk().execute(a_stage_context(), a_text_document()))


def test_an_unknown_source_is_answered_with_those_there_are() -> None:
    request = REQUEST.model_copy(update={"plugin": "openalex"})
    with pytest.raises(ConfigurationError, match="'openalex' is not installed; installed: files"):
        Ingest({"files": MemorySource()}).execute(a_stage_context(), request)


def test_only_sound_documents_are_kept_and_the_others_say_what_is_wrong() -> None:
    sound = a_text_document()
    section = sound.sections[0]
    outside = sound.model_copy(update={"sections": (section.model_copy(update={"end_char": 5}),)})
    twice = sound.model_copy(
        update={"sections": (section.model_copy(update={"blocks": section.blocks * 2}),)}
    )
    empty, foreign = a_text_document(" "), sound.model_copy(update={"doc_id": "other"})
    store, ctx = MemoryDocuments(), a_stage_context()
    stage = IrValidation(store)  # type: ignore[arg-type]
    outcomes = stage.execute_batch([(ctx, document) for document in (sound, outside, twice, empty, foreign)])
    assert outcomes[0] == sound
    assert [type(outcome) for outcome in outcomes[1:]] == [
        StageContractError,
        StageContractError,
        EmptyDocumentError,
        StageContractError,
    ]
    assert store.kept == {"doc": sound}


def test_a_document_without_chunks_is_empty_and_one_with_a_failed_chunk_carries_its_error() -> None:
    ctx = a_stage_context()
    outcomes = ChunkOnPlane(ToyPlane(), 60, {"default": "default"}).execute_batch(
        [(ctx, a_text_document()), (ctx, a_text_document("none"))]
    )
    assert isinstance(outcomes[1], EmptyDocumentError)
    long = a_text_document("x" * 60)
    embedded = EmbedOnPlane(ToyPlane(), 60).execute_batch(
        [(ctx, outcomes[0]), (ctx, [a_chunk_of(long, 0, 60, 0)]), (ctx, outcomes[0])]  # type: ignore[list-item]
    )
    assert [type(outcome) for outcome in embedded] == [EmbeddingBatch, MalformedDocumentError, EmbeddingBatch]


def test_a_chunk_stage_needs_a_default_profile() -> None:
    with pytest.raises(ConfigurationError, match="default"):
        ChunkOnPlane(ToyPlane(), 60, {"pmc": "pmc-imrad"})


# --- lift --------------------------------------------------------------------------------------------


class Picky:
    """Takes no 1, and stumbles over 0."""

    isolation = Isolation.INLINE

    def execute(self, ctx: StageContext, value: int) -> int:
        if value == 1:
            raise MalformedDocumentError("broken")
        return 10 // value


def test_lift_keeps_each_error_with_its_document() -> None:
    ctx = a_stage_context()
    ten, malformed, unknown, five = lift(Picky()).execute_batch([(ctx, value) for value in (-1, 1, 0, 2)])
    assert (ten, five) == (-10, 5)
    assert isinstance(malformed, MalformedDocumentError)
    assert isinstance(unknown, StageFailedError)
    assert "doc: the stage raised ZeroDivisionError" in str(unknown)


def test_lift_takes_a_stage_with_a_batch_form_as_it_is() -> None:
    stage = EmbedOnPlane(ToyPlane(), 60)
    assert lift(stage) is stage


def test_lift_refuses_what_is_no_stage() -> None:
    with pytest.raises(StageContractError, match="neither execute nor execute_batch"):
        lift(object())
