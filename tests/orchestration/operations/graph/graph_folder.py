"""A data folder with a graph, without an index: documents whose text states claims between marked names.

A document is a list of lines such as `Drug:aspirin treats Condition:headache`, where `not` denies. Its text
is these names and words; names are mentions, every line is the evidence of its claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medkg.testing.builders import a_context, a_document
from orchestration.assembly import Assembly
from orchestration.contracts import Commit
from orchestration.extraction.findings import Findings
from orchestration.records import (
    Block,
    BlockKind,
    Document,
    Section,
    Span,
    StageContext,
    content_version,
)
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg

TENANT = "default"

Line = tuple[str, str, str]
"""Subject, predicate (`not treats` denies) and object: `Kind:name`, or `Kind:name=KEY` with a key."""


class GraphFolder:
    """Documents that are committed with their claims."""

    def __init__(self, data_dir: Path) -> None:
        self.medkg = Medkg(data_dir)
        self._data_dir = data_dir

    def publish(self, doc_id: str, lines: Sequence[Line], **metadata: Any) -> Document:
        """Parse, extract and commit a document."""
        assembly = Assembly(load_settings(data_dir=self._data_dir))
        try:
            document = _document(doc_id, lines, metadata)
            ctx = a_context(doc_id, tenant_id=TENANT, source="files", version=document.version)
            assembly.stores.documents.put([(ctx, document)])
            (receipt,) = assembly.graph_writer.stage(TENANT, "test", [(ctx, _claims(document, lines))])
            assembly.ledger.commits.commit([_commit(ctx, receipt)])
        finally:
            assembly.close()
        return document


def _commit(ctx: StageContext, receipt: Any) -> Commit:
    return Commit(
        key=ctx.key,
        version=ctx.version,
        fingerprint=ctx.fingerprint,
        pipeline="auto",
        intent_id=f"index-{ctx.doc_id}",
        chunk_count=0,
        namespace="none",
        graph_intent_id=receipt.intent_id,
        entity_count=receipt.entity_count,
        claim_count=receipt.claim_count,
    )


def _document(doc_id: str, lines: Sequence[Line], metadata: dict[str, Any]) -> Document:
    """A document whose text is exactly the lines, whatever their characters."""
    sentences = [_sentence(line) for line in lines]
    version = content_version(repr(sentences).encode())
    document = a_document(doc_id, title=f"About {doc_id}", tenant_id=TENANT, version=version)
    text = "".join(f"{sentence}\n" for sentence in sentences)
    blocks = []
    start = 0
    for number, sentence in enumerate(sentences):
        end = start + len(sentence)
        kind = BlockKind.PARAGRAPH
        blocks.append(Block(block_id=f"b{number}", kind=kind, start_char=start, end_char=end))
        start = end + 1
    section = Section(
        title="Results",
        title_path=(f"About {doc_id}", "Results"),
        role="results",
        start_char=0,
        end_char=len(text),
        blocks=tuple(blocks),
    )
    return document.model_copy(update={"metadata": metadata, "text": text, "sections": (section,)})


def _sentence(line: Line) -> str:
    first, predicate, last = line
    return " ".join((_name(first), predicate, _name(last)))


def _claims(document: Document, lines: Sequence[Line]) -> Any:
    findings = Findings(document, "toy/1")
    for first, predicate, last in lines:
        sentence = _sentence((first, predicate, last))
        start = document.text.index(sentence)
        end = start + len(sentence)
        ends = [
            _mention(findings, first, start),
            _mention(findings, last, end - len(_name(last))),
        ]
        denied = predicate.startswith("not ")
        evidence = [Span(start_char=start, end_char=end)]
        findings.claim(ends[0], predicate.removeprefix("not "), ends[1], evidence, negated=denied)
    return findings.extraction()


def _mention(findings: Findings, written: str, start: int) -> Any:
    kind, _, rest = written.partition(":")
    name, _, key = rest.partition("=")
    return findings.mention(kind, Span(start_char=start, end_char=start + len(name)), concept=key or None)


def _name(written: str) -> str:
    return written.partition(":")[2].partition("=")[0]
