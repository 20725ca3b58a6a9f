"""What flows through medkg: documents and their parts, chunks, vectors, and what stages hand on.

Records are frozen and validated where they enter (pydantic, unknown fields refused); the numeric batch
is a slotted dataclass because it is on the hot path. All character offsets are 0-based positions in
`Document.text`, half-open: `text[start_char:end_char]`. Nothing in here does I/O.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Float32Matrix = npt.NDArray[np.float32]
Offset = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Common ground of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- identity --------------------------------------------------------------------------------------


class DocumentKey(Record):
    """Who a document is, everywhere: the same trial from the API and from a file has one key."""

    tenant_id: str = Field(description="Tenant that owns the document.")
    source: str = Field(description="Where the record comes from: clinicaltrials, pmc, pubmed, files.")
    doc_id: str = Field(description="The source's own id: NCT01234567, PMC123, a pmid, a DOI.")


class StageContext(Record):
    """Travels with every document through every stage; identifies it in logs, errors and artifacts."""

    tenant_id: str = Field(description="Tenant that owns the document.")
    job_id: str = Field(description="Submission that the document came in with.")
    doc_id: str = Field(description="The source's own id of the document.")
    correlation_id: str = Field(description="Links everything that happens to this document in this job.")
    metadata: dict[str, str] = Field(
        default_factory=dict,
        description="`source`, `version`, `fingerprint`, `revision` of the document, plus what stages add.",
    )
    pipeline_name: str = Field(description="Topology the document runs through.")
    pipeline_version: str = Field(description="Version of that topology, YYYY-MM-DD.")

    @property
    def source(self) -> str:
        return self.metadata["source"]

    @property
    def version(self) -> str:
        return self.metadata["version"]

    @property
    def revision(self) -> str | None:
        return self.metadata.get("revision")

    @property
    def fingerprint(self) -> str:
        return self.metadata["fingerprint"]

    @property
    def key(self) -> DocumentKey:
        return DocumentKey(tenant_id=self.tenant_id, source=self.source, doc_id=self.doc_id)

    def with_metadata(self, **values: str) -> StageContext:
        """A copy whose metadata has `values` set."""
        return self.model_copy(update={"metadata": {**self.metadata, **values}})


# --- input -----------------------------------------------------------------------------------------


class Locator(Record):
    """Where a source finds the bytes of one document again; opaque to everyone but that source."""

    uri: str = Field(description="Path or URL.")
    start: int | None = Field(default=None, ge=0, description="First byte of the record in it.")
    length: int | None = Field(default=None, ge=0, description="Number of bytes of the record.")
    format: str = Field(description="Registered format of the bytes, e.g. ctgov-v2, jats, markdown.")


class SourceItem(Record):
    """One document that a source enumerated; becomes a ledger row, or a dead letter if `error` is set."""

    doc_id: str = Field(description="The source's own id, or a path-derived one.")
    source: str = Field(description="Where the record comes from: clinicaltrials, pmc, pubmed, files.")
    locator: Locator = Field(description="Where its bytes are.")
    version: str | None = Field(
        default=None, description="Content hash if known without a fetch; lets unchanged ones be skipped."
    )
    revision: str | None = Field(
        default=None,
        description="Orders records of one id; empty: unknown; null: the format has none.",
    )
    deleted: bool = Field(default=False, description="The source announces that it deleted the record.")
    place: str | None = Field(
        default=None, description="Where it was listed: its file, or the listing of a service."
    )
    id_of_place: bool = Field(
        default=False, description="The record is a whole file without an id: `doc_id` is made of its path."
    )
    error_code: str | None = Field(default=None, description="Why the record cannot be ingested.")
    error_message: str | None = Field(default=None, description="The same for a person.")


class AdapterRequest(Record):
    """What the ingest stage is asked to fetch: one document of one source. `source` names the plugin too."""

    model_config = ConfigDict(validate_by_name=True)

    tenant_id: str = Field(description="Tenant the document is for.")
    plugin: str = Field(
        validation_alias="source", description="Name of the source plugin that fetches, e.g. files."
    )
    doc_id: str = Field(description="Document to fetch.")
    locator: Locator = Field(description="Where the source enumerated it.")


class RawPayload(Record):
    """The bytes of one document as the source gave them, with their content hash."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    doc_id: str = Field(description="The source's own id.")
    source: str = Field(description="Where the record comes from.")
    format: str = Field(description="Registered format of `content`; names the parser.")
    content: bytes = Field(description="The record's bytes, unchanged.")
    uri: str = Field(description="Where they were read, for people and provenance.")
    version: str = Field(description="sha256 hex of the content (of its canonical form for JSON).")
    revision: str | None = Field(default=None, description="Revision of the record, where its format has it.")
    stored: str | None = Field(
        default=None, description="Object that holds the bytes, where `content` is left empty; e.g. a PDF."
    )


# --- documents -------------------------------------------------------------------------------------


class BlockKind(StrEnum):
    """What a block of text is; chunk profiles decide by it what stays whole."""

    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    FIGURE_CAPTION = "figure_caption"
    BOXED_TEXT = "boxed_text"
    OUTCOME = "outcome"
    ELIGIBILITY = "eligibility"
    REGISTRY_FIELD = "registry_field"
    REFERENCE = "reference"


class Span(Record):
    """A stretch of `Document.text`."""

    start_char: Offset = Field(description="First character.")
    end_char: Offset = Field(description="One past the last character.")

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end_char < self.start_char:
            raise ValueError(f"span ends ({self.end_char}) before it starts ({self.start_char})")
        return self


class PageBox(Record):
    """A place on a page, in points (1/72 inch) from its top left corner."""

    page_no: int = Field(ge=1, description="1-based page.")
    left: float = Field(allow_inf_nan=False, description="Left edge.")
    top: float = Field(allow_inf_nan=False, description="Upper edge.")
    right: float = Field(allow_inf_nan=False, description="Right edge.")
    bottom: float = Field(allow_inf_nan=False, description="Lower edge.")

    @model_validator(mode="after")
    def _ordered(self) -> PageBox:
        if self.right < self.left or self.bottom < self.top:
            raise ValueError(f"box ({self.left}, {self.top}, {self.right}, {self.bottom}) is turned around")
        return self


class Block(Record):
    """The smallest cited unit of a document: a paragraph, a table, a list, one outcome."""

    block_id: str = Field(description="Unique in the document, stable for the same content.")
    kind: BlockKind = Field(description="What it is.")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    page_no: int | None = Field(default=None, ge=1, description="1-based page, where pages exist.")
    boxes: tuple[PageBox, ...] = Field(
        default=(), description="Where it stands on its pages, in reading order; of PDFs."
    )


class Table(Record):
    """A table as a grid, beside its text rendering in a block of kind `table`."""

    block_id: str = Field(description="Block that holds the rendered text.")
    label: str | None = Field(default=None, description="E.g. 'Table 2'.")
    caption: str | None = Field(default=None, description="Caption text.")
    header_rows: int = Field(ge=0, description="How many of the first rows are header.")
    rows: tuple[tuple[str, ...], ...] = Field(description="Cells by row; spans are repeated.")


class Section(Record):
    """A heading and what stands under it; sections nest, blocks belong to the innermost one."""

    title: str = Field(description="Heading as printed, '' where there is none.")
    title_path: tuple[str, ...] = Field(description="Headings from the outermost section to this one.")
    role: str | None = Field(
        default=None,
        description="Normalised role: abstract, introduction, methods, results, discussion, conclusions, "
        "eligibility, outcomes, ... None where unknown.",
    )
    start_char: Offset = Field(description="First character, heading included.")
    end_char: Offset = Field(description="One past the last character of its last sub-section.")
    blocks: tuple[Block, ...] = Field(default=(), description="Blocks directly in this section, in order.")
    sections: tuple[Section, ...] = Field(default=(), description="Sub-sections, in order.")


class Reference(Record):
    """One entry of a reference list: kept for citation graphs, never indexed as text."""

    label: str | None = Field(default=None, description="Number or key as printed.")
    text: str = Field(description="The entry as text.")
    pmid: str | None = Field(default=None, description="PubMed id if given.")
    doi: str | None = Field(default=None, description="DOI if given.")
    part: str | None = Field(
        default=None,
        description="Heading of the appendix or article inside whose list it is in; none for the main list.",
    )


class Annotation(Record):
    """A value of a structured record, where the text shows it."""

    annotation_id: str = Field(description="Unique in the document.")
    kind: str = Field(description="What the value is in its record: condition, intervention, outcome ...")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    identifiers: tuple[str, ...] = Field(default=(), description="CURIEs that the record gives for it.")
    of: str | None = Field(default=None, description="Annotation that it belongs to; None: the document.")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Codes of the record, as it has them."
    )


class Document(Record):
    """One source record as text with structure: every offset below points into `text`."""

    doc_id: str = Field(description="The source's own id.")
    tenant_id: str = Field(description="Tenant that owns it.")
    source: str = Field(description="Where the record comes from.")
    version: str = Field(description="Content hash of the bytes it was parsed from.")
    title: str = Field(description="Title, '' where the record has none.")
    text: str = Field(description="The whole text, headings included, references not.")
    sections: tuple[Section, ...] = Field(description="Top-level sections in order, covering the text.")
    tables: tuple[Table, ...] = Field(default=(), description="Tables as grids.")
    references: tuple[Reference, ...] = Field(default=(), description="Reference list, kept apart.")
    annotations: tuple[Annotation, ...] = Field(
        default=(), description="Values of a structured record, where the text shows them, in order."
    )
    language: str = Field(default="en", description="BCP 47 language tag.")
    parser: str = Field(description="Name and version of the parser, e.g. jats/1.")
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Bibliographic and registry fields: authors, journal, year, doi, phase, status, mesh ...",
    )


class Chunk(Record):
    """The unit that is embedded and found. `document.text[start_char:end_char] == body`, always."""

    chunk_id: str = Field(description="Deterministic: source, document, version, ordinal.")
    doc_id: str = Field(description="Document it was cut from.")
    tenant_id: str = Field(description="Tenant that owns it.")
    version: str = Field(description="Content hash of the document.")
    ordinal: int = Field(ge=0, description="Position in the document, from 0.")
    body: str = Field(min_length=1, description="The text.")
    title_path: tuple[str, ...] = Field(description="Document title, then the headings above the chunk.")
    section: str = Field(description="Role of its section, else its heading in lower case, else ''.")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    block_ids: tuple[str, ...] = Field(description="Blocks it touches, in order.")
    page_no: int | None = Field(default=None, ge=1, description="Page of its first block.")
    token_count: int = Field(
        ge=1, description="Tokens of body in the embedding model's tokenizer; words where it has none."
    )
    granularity: Literal["chunk", "table", "outcome", "eligibility"] = Field(description="What it holds.")
    chunker: str = Field(description="Name of the chunker and profile, e.g. haystack/pmc-imrad.")
    chunker_version: str = Field(description="Version of that chunker; part of the fingerprint.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Filterable fields.")


def chunk_id(source: str, doc_id: str, version: str, ordinal: int) -> str:
    """The deterministic id of a chunk."""
    return f"{source}:{doc_id}:{version[:12]}:{ordinal}"


class Qualifier(Record):
    """What limits or measures a claim: a dose, a comparator, a time, an effect; with its own span."""

    kind: str = Field(description="time_frame, comparator, effect, p_value, role ...")
    value: str = Field(description="The text of its span.")
    span: Span = Field(description="Where it stands.")


class Entity(Record):
    """A mention: a named thing at one span. Mentions of one concept share its key."""

    entity_id: str = Field(description="Deterministic id, unique in the document.")
    tenant_id: str = Field(description="Tenant that owns the document.")
    doc_id: str = Field(description="Document it was found in.")
    kind: str = Field(description="Kind of the graph schema: Condition, Drug, Gene, Outcome ...")
    name: str = Field(description="The mention as written: exactly the text of its span.")
    span: Span = Field(description="Where it stands.")
    concept: str = Field(description="Key of the concept: a CURIE, else local:HASH of kind and name.")
    identifiers: tuple[str, ...] = Field(default=(), description="Further CURIEs of the same thing.")
    confidence: float = Field(default=1.0, ge=0, le=1, description="Of mention and link.")
    extraction: str = Field(description="Extractor, version and models that found it.")


AgentType = Literal["manual_agent", "automated_agent", "computational_model", "text_mining_agent"]
"""Of Biolink: who or what made a statement."""


class Claim(Record):
    """What a document states of two mentions, with the spans that support it."""

    claim_id: str = Field(description="Deterministic id.")
    tenant_id: str = Field(description="Tenant that owns the document.")
    doc_id: str = Field(description="Document that states it.")
    subject: str = Field(description="entity_id.")
    predicate: str = Field(description="Relation of the graph schema.")
    object: str = Field(description="entity_id.")
    evidence: tuple[Span, ...] = Field(min_length=1, description="Where it is stated.")
    negated: bool = Field(default=False, description="The document denies it.")
    direction: Literal["increased", "decreased", "unchanged"] | None = Field(
        default=None, description="Of an effect; None where the claim is none or does not say."
    )
    qualifiers: tuple[Qualifier, ...] = Field(default=(), description="What limits or measures it.")
    confidence: float = Field(default=1.0, ge=0, le=1, description="Of the extractor.")
    knowledge_level: Literal["knowledge_assertion", "statistical_association", "prediction"] = Field(
        default="knowledge_assertion", description="Biolink's knowledge level."
    )
    agent_type: Literal["manual_agent", "automated_agent", "computational_model", "text_mining_agent"] = (
        Field(default="text_mining_agent", description="Biolink's agent type: who or what made it.")
    )
    extraction: str = Field(description="Extractor, version and models that found it.")


def local_concept(kind: str, name: str) -> str:
    """Key of a concept that no vocabulary knows: local:, then a hash of its kind and normalised name."""
    normalised = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return f"local:{hashlib.sha256(f'{kind}/{normalised}'.encode()).hexdigest()[:20]}"


# --- vectors and receipts --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SparseMatrix:
    """CSR rows over a vocabulary: row i is indices[indptr[i]:indptr[i+1]] with the same slice of values."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    vocabulary: int

    @classmethod
    def of_rows(
        cls, rows: Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]], vocabulary: int
    ) -> Self:
        """The matrix of (indices, values) rows."""
        return cls(
            np.concatenate([[0], np.cumsum([len(indices) for indices, _ in rows])]).astype(np.int64),
            np.concatenate([np.empty(0, np.int32), *(indices for indices, _ in rows)]).astype(np.int32),
            np.concatenate([np.empty(0, np.float32), *(values for _, values in rows)]).astype(np.float32),
            vocabulary,
        )

    @classmethod
    def stacked(cls, parts: Sequence[SparseMatrix]) -> Self:
        """The rows of all parts, which share a vocabulary, in order; of at least one part."""
        return cls.of_rows(
            [part.row(number) for part in parts for number in range(len(part))], parts[0].vocabulary
        )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def row(self, number: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """(indices, values) of one row."""
        start, end = self.indptr[number : number + 2]
        return self.indices[start:end], self.values[start:end]

    def rows(self, start: int, stop: int) -> SparseMatrix:
        """Rows start to stop as a separate matrix."""
        first, last = self.indptr[start], self.indptr[stop]
        indptr = self.indptr[start : stop + 1] - first
        return SparseMatrix(indptr, self.indices[first:last], self.values[first:last], self.vocabulary)


@dataclass(frozen=True, slots=True)
class EmbeddingBatch:
    """Chunks with their vectors: dense float32 [n, d] (unit length), sparse CSR [n, vocabulary] or None."""

    chunks: tuple[Chunk, ...]
    dense: Float32Matrix
    sparse: SparseMatrix | None = None
    model_ids: Mapping[str, str] = field(default_factory=dict)
    """Model id and revision by leg, e.g. {"dense": "all-MiniLM-L6-v2@1a2b3c/bf16"}."""

    def __post_init__(self) -> None:
        if self.dense.ndim != 2 or self.dense.dtype != np.float32:
            raise ValueError(f"dense must be float32 [n, d], got {self.dense.dtype} {self.dense.shape}")
        if len(self.chunks) != self.dense.shape[0]:
            raise ValueError(f"{len(self.chunks)} chunks but {self.dense.shape[0]} vectors")
        if self.sparse is not None and len(self.sparse) != len(self.chunks):
            raise ValueError(f"{len(self.chunks)} chunks but {len(self.sparse)} sparse vectors")


class IndexReceipt(Record):
    """What the index stage staged for one document; nothing is visible before the commit."""

    key: DocumentKey = Field(description="Document the receipt is for.")
    version: str = Field(description="Content hash that was indexed.")
    fingerprint: str = Field(description="Everything that shaped the index entries.")
    intent_id: str = Field(description="Intent under which stores were written.")
    chunk_count: int = Field(ge=0, description="Chunks written to every store.")
    namespace: str = Field(description="Model that made the vectors.")


class GraphWriteReceipt(Record):
    """What the kg stage staged for one document."""

    key: DocumentKey = Field(description="Document the receipt is for.")
    version: str = Field(description="Content hash of the document.")
    fingerprint: str = Field(description="Everything that shaped the mentions and claims.")
    intent_id: str = Field(description="Intent under which they were written.")
    entity_count: int = Field(ge=0, description="Entities written.")
    claim_count: int = Field(ge=0, description="Claims written.")


# --- content hash ----------------------------------------------------------------------------------


def content_version(content: bytes) -> str:
    """sha256 hex of a record's bytes."""
    return hashlib.sha256(content).hexdigest()


def json_version(record: object) -> str:
    """sha256 hex of a JSON record in canonical form, so that white space and key order do not matter."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
