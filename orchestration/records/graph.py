"""Mentions and claims of documents, and what the kg stage hands on."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final, Literal

from pydantic import Field

from orchestration.records.documents import Span
from orchestration.records.identity import DocumentKey, Record


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
    knowledge_level: Literal[
        "knowledge_assertion", "statistical_association", "prediction", "not_provided"
    ] = Field(
        default="knowledge_assertion",
        description="Biolink's knowledge level; of what models read in text it is not provided.",
    )
    agent_type: Literal["manual_agent", "automated_agent", "computational_model", "text_mining_agent"] = (
        Field(default="text_mining_agent", description="Biolink's agent type: who or what made it.")
    )
    extraction: str = Field(description="Extractor, version and models that found it.")


RETRACTED_PUBLICATION: Final = "MESH:D016441"
"""Publication type that the record of every retracted article has: as PubMed states it, else derived from the
record's notices. So an article is retracted by its own record if this is the object of its claim
`has_publication_type`, and by another record if it is the object of a claim `retracts`."""


def article_curies(
    *, pmid: str | None = None, pmcid: str | None = None, doi: str | None = None, openalex: str | None = None
) -> tuple[str, ...]:
    """CURIEs of an article, that which is its concept first: PMID, PMC, doi in lower case, openalex."""
    named = (("PMID", pmid), ("PMC", pmcid), ("doi", (doi or "").lower()), ("openalex", openalex))
    return tuple(f"{prefix}:{value}" for prefix, value in named if value)


LOCAL_PREFIX: Final = "local:"
"""Of the key of a concept that no vocabulary has."""


def local_concept(kind: str, name: str) -> str:
    """Key of a concept that no vocabulary knows: local:, then a hash of its kind and normalised name."""
    normalised = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return f"{LOCAL_PREFIX}{hashlib.sha256(f'{kind}/{normalised}'.encode()).hexdigest()[:20]}"


class GraphWriteReceipt(Record):
    """What the kg stage staged for one document."""

    key: DocumentKey = Field(description="Document the receipt is for.")
    version: str = Field(description="Content hash of the document.")
    fingerprint: str = Field(description="Everything that shaped the mentions and claims.")
    intent_id: str = Field(description="Intent under which they were written.")
    entity_count: int = Field(ge=0, description="Entities written.")
    claim_count: int = Field(ge=0, description="Claims written.")
