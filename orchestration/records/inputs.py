"""What enters: items of a source, their bytes, and the context that travels with each document."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict, Field

from orchestration.records.identity import DocumentKey, Record


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """sha256 hex of everything but its content that shapes what becomes of a document, by part."""

    parse: str
    """The parsed document."""
    index: str
    """Its chunks and vectors; the parsed document is kept under it. Changes with `parse`."""
    graph: str | None = None
    """Its mentions and claims; None where none are made. Changes with `parse`."""


class StageContext(Record):
    """Travels with every document through every stage; identifies it in logs, errors and artifacts."""

    tenant_id: str = Field(description="Tenant that owns the document.")
    job_id: str = Field(description="Submission that the document came in with.")
    doc_id: str = Field(description="The source's own id of the document.")
    correlation_id: str = Field(description="Links everything that happens to this document in this job.")
    metadata: dict[str, str] = Field(
        default_factory=dict,
        description="`source`, `version`, `fingerprint`, `revision` of the document, its due branches, plus "
        "what stages add.",
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
    def fingerprints(self) -> Fingerprints:
        """All of its fingerprints; `parse` is empty where the context does not know it."""
        metadata = self.metadata
        return Fingerprints(
            metadata.get("parse_fingerprint", ""), metadata["fingerprint"], metadata.get("graph_fingerprint")
        )

    @property
    def key(self) -> DocumentKey:
        return DocumentKey(tenant_id=self.tenant_id, source=self.source, doc_id=self.doc_id)

    def with_fingerprints(self, fingerprints: Fingerprints) -> StageContext:
        """A copy with these fingerprints."""
        return self.with_metadata(
            fingerprint=fingerprints.index,
            parse_fingerprint=fingerprints.parse,
            graph_fingerprint=fingerprints.graph,
        )

    def with_metadata(self, **values: str | None) -> StageContext:
        """A copy whose metadata has `values` set; those that are None are removed."""
        metadata = {name: value for name, value in self.metadata.items() if name not in values}
        added = {name: value for name, value in values.items() if value is not None}
        return self.model_copy(update={"metadata": {**metadata, **added}})


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
