"""What flows through medkg: documents and their parts, chunks, vectors, and what stages hand on.

Records are frozen and validated where they enter (pydantic, unknown fields refused); the numeric batch
is a slotted dataclass because it is on the hot path. All character offsets are 0-based positions in
`Document.text`, half-open: `text[start_char:end_char]`. Nothing in here does I/O.
"""

from __future__ import annotations

from orchestration.records.annotated import (
    AnnotatedClaim,
    AnnotatedDocument,
    AnnotatedMention,
    AnnotatedRelation,
    Judgement,
)
from orchestration.records.documents import (
    NOT_INDEXED,
    Annotation,
    Block,
    BlockKind,
    Chunk,
    Document,
    PageBox,
    Reference,
    Section,
    Span,
    Table,
    all_sections,
    chunk_id,
)
from orchestration.records.graph import (
    LOCAL_PREFIX,
    RETRACTED_PUBLICATION,
    AgentType,
    Claim,
    Entity,
    GraphWriteReceipt,
    Qualifier,
    article_curies,
    local_concept,
)
from orchestration.records.identity import (
    DocumentKey,
    Offset,
    Record,
    content_version,
    json_version,
)
from orchestration.records.inputs import (
    AdapterRequest,
    Fingerprints,
    Locator,
    RawPayload,
    SourceItem,
    StageContext,
)
from orchestration.records.vectors import (
    EmbeddingBatch,
    Float32Matrix,
    IndexReceipt,
    SparseMatrix,
)

__all__ = [
    "LOCAL_PREFIX",
    "NOT_INDEXED",
    "RETRACTED_PUBLICATION",
    "AdapterRequest",
    "AgentType",
    "AnnotatedClaim",
    "AnnotatedDocument",
    "AnnotatedMention",
    "AnnotatedRelation",
    "Annotation",
    "Block",
    "BlockKind",
    "Chunk",
    "Claim",
    "Document",
    "DocumentKey",
    "EmbeddingBatch",
    "Entity",
    "Fingerprints",
    "Float32Matrix",
    "GraphWriteReceipt",
    "IndexReceipt",
    "Judgement",
    "Locator",
    "Offset",
    "PageBox",
    "Qualifier",
    "RawPayload",
    "Record",
    "Reference",
    "Section",
    "SourceItem",
    "Span",
    "SparseMatrix",
    "StageContext",
    "Table",
    "all_sections",
    "article_curies",
    "chunk_id",
    "content_version",
    "json_version",
    "local_concept",
]
