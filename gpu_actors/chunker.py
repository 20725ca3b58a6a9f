"""HaystackChunker: documents to chunks under profiles, in the embedding model's own tokens, offsets exact.

Comes in: a Document with sections and blocks. Leaves: chunks whose bodies are slices of its text. What a
profile keeps whole (a table, an outcome, eligibility criteria) is one chunk where the model can take it;
everything else is packed from sentences, which Haystack's DocumentSplitter finds, up to the profile's size,
with the profile's overlap. No chunk crosses a boundary that its profile respects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from haystack import Document as HaystackDocument
from haystack import component
from haystack.components.preprocessors import DocumentSplitter

from gpu_actors.document_tokens import DocumentTokens
from gpu_actors.profiles import CHUNKER_VERSION, chosen_profile, find_model
from gpu_actors.regions import HEADINGS, Boundaries, PlacedBlock, cut_regions, placed_blocks
from gpu_actors.sentences import split_sentences
from gpu_actors.tokens import TextTokenizer
from orchestration.errors import ConfigurationError, StageContractError
from orchestration.records import Block, BlockKind, Chunk, Document, Section, chunk_id

__all__ = ["CHUNK_PROFILES", "ChunkProfile", "DocumentChunker", "HaystackChunker"]

Granularity = Literal["chunk", "table", "outcome", "eligibility"]
Stretch = tuple[int, int]

WHOLE: Final[dict[BlockKind, Granularity]] = {
    BlockKind.TABLE: "table",
    BlockKind.OUTCOME: "outcome",
    BlockKind.ELIGIBILITY: "eligibility",
}
APART: Final = frozenset({*WHOLE, BlockKind.REFERENCE})
INEXACT_ROOM: Final = 16
"""Tokens kept free where counts in context are not those of the stretch alone."""


@dataclass(frozen=True, slots=True)
class ChunkProfile:
    """How documents of one kind are cut."""

    name: str
    size: int
    """Most tokens of a packed chunk."""
    overlap: int
    """Most tokens that two neighbours share, in whole sentences."""
    boundaries: Boundaries


CHUNK_PROFILES: Final = {
    profile.name: profile
    for profile in (
        ChunkProfile("pmc-imrad", 450, 50, "imrad"),
        ChunkProfile("ctgov-registry", 300, 0, "sections"),
        ChunkProfile("default", 450, 50, "lengths"),
    )
}


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest stretch that packing moves: a sentence, a short block, or one that stays whole."""

    start: int
    end: int
    granularity: Granularity = "chunk"


class DocumentChunker:
    """Cuts documents for one embedding model; stateless between documents."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """`folder`: the model's; `max_tokens`: its limit, special tokens included."""
        self._tokenizer = TextTokenizer(folder, max_tokens)
        self._room = self._tokenizer.room - (0 if self._tokenizer.counts_add_up else INEXACT_ROOM)
        self._sentences = DocumentSplitter(
            split_by="function", splitting_function=split_sentences, split_length=1, split_overlap=0
        )

    def chunk(self, document: Document, profile_name: str) -> list[Chunk]:
        """The document's chunks in text order; [] if it has no text that the model can see.

        Raises ConfigurationError for an unknown profile.
        """
        profile = self._profile(profile_name)
        tokens = DocumentTokens(*self._tokenizer.encodings([document.text]))
        blocks = placed_blocks(document.sections)
        regions = cut_regions(
            blocks, profile.boundaries, lambda start, end: tokens.count(start, end) <= profile.size
        )
        units = [
            unit
            for region in regions
            for unit in self._region(document.text, tokens, region, profile)
            if tokens.count(unit.start, unit.end)
        ]
        counts = self._counts(document.text, tokens, units)
        return [
            _chunk(document, profile, blocks, ordinal, unit, count)
            for ordinal, (unit, count) in enumerate(zip(units, counts, strict=True))
        ]

    def _profile(self, name: str) -> ChunkProfile:
        try:
            profile = CHUNK_PROFILES[name]
        except KeyError:
            raise ConfigurationError(
                f"chunk profile {name!r} is unknown; there are {', '.join(sorted(CHUNK_PROFILES))}. Correct "
                "`profiles` of the topology's chunk stage."
            ) from None
        return replace(profile, size=min(profile.size, self._room))

    def _counts(self, text: str, tokens: DocumentTokens, units: Sequence[_Unit]) -> list[int]:
        """Tokens of each unit as the model will see it, special ones not included."""
        if self._tokenizer.counts_add_up:
            return [tokens.count(unit.start, unit.end) for unit in units]
        return [len(each) for each in self._tokenizer.encodings([text[u.start : u.end] for u in units])]

    def _region(
        self, text: str, tokens: DocumentTokens, blocks: Sequence[PlacedBlock], profile: ChunkProfile
    ) -> Iterator[_Unit]:
        """Chunks of one region: runs of running text packed, what stays whole between them."""
        run: list[Block] = []
        for placed in blocks:
            block = placed.block
            if block.kind not in APART:
                run.append(block)
                continue
            yield from self._run(text, tokens, run, profile)
            run = []
            if block.kind in WHOLE:
                yield from self._whole(text, tokens, block, profile)
        yield from self._run(text, tokens, run, profile)

    def _run(
        self, text: str, tokens: DocumentTokens, blocks: Sequence[Block], profile: ChunkProfile
    ) -> Iterator[_Unit]:
        """Running text: one chunk where it fits, else packed sentences; a heading begins what follows it."""
        last = max((at for at, block in enumerate(blocks) if block.kind not in HEADINGS), default=None)
        if last is None:
            titled = blocks and blocks[0].kind is BlockKind.TITLE
            last = len(blocks) - 1 if titled else None
        if last is None:
            return
        start, end = _trimmed(text, blocks[0].start_char, blocks[last].end_char)
        if tokens.count(start, end) <= profile.size:
            yield _Unit(start, end)
            return
        units: list[_Unit] = []
        heading: int | None = None
        for block in blocks[: last + 1]:
            first = block.start_char if heading is None else heading
            if block.kind in HEADINGS and block is not blocks[last]:
                heading = first
                continue
            heading = None
            units += self._units(text, tokens, first, block.end_char, profile)
        yield from _packed(tokens, units, profile)

    def _whole(
        self, text: str, tokens: DocumentTokens, block: Block, profile: ChunkProfile
    ) -> Iterator[_Unit]:
        """One chunk where the model can take it, else its rows or sentences packed, without overlap."""
        granularity = WHOLE[block.kind]
        start, end = _trimmed(text, block.start_char, block.end_char)
        if tokens.count(start, end) <= self._room:
            yield _Unit(start, end, granularity)
            return
        if block.kind is BlockKind.TABLE:
            units = list(_pieces(text, tokens, _lines(text, start, end), profile.size))
        else:
            units = list(_pieces(text, tokens, self._sentence_stretches(text, start, end), profile.size))
        for unit in _packed(tokens, units, replace(profile, overlap=0)):
            yield replace(unit, granularity=granularity)

    def _units(
        self, text: str, tokens: DocumentTokens, start: int, end: int, profile: ChunkProfile
    ) -> Iterator[_Unit]:
        """A block as one unit where it is short enough to be overlap as a whole, else its sentences."""
        start, end = _trimmed(text, start, end)
        if tokens.count(start, end) <= profile.overlap:
            yield _Unit(start, end)
        else:
            yield from _pieces(text, tokens, self._sentence_stretches(text, start, end), profile.size)

    def _sentence_stretches(self, text: str, start: int, end: int) -> Iterator[Stretch]:
        split = self._sentences.run([HaystackDocument(content=text[start:end])])["documents"]
        for sentence in split:
            begin = start + int(sentence.meta["split_idx_start"])
            yield begin, begin + len(sentence.content or "")


def _lines(text: str, start: int, end: int) -> Iterator[Stretch]:
    for line in re.finditer(r"[^\n]+", text[start:end]):
        yield start + line.start(), start + line.end()


def _pieces(text: str, tokens: DocumentTokens, stretches: Iterator[Stretch], size: int) -> Iterator[_Unit]:
    """Each stretch as a unit, or as several where it is longer than a chunk; those without tokens go."""
    for stretch in stretches:
        for piece in tokens.cut(*_trimmed(text, *stretch), size):
            start, end = _trimmed(text, *piece)
            if tokens.count(start, end):
                yield _Unit(start, end)


def _packed(tokens: DocumentTokens, units: Sequence[_Unit], profile: ChunkProfile) -> Iterator[_Unit]:
    """Consecutive units joined up to the profile's size, with its overlap in whole units.

    Every chunk but the first begins with the overlap only if what follows it still fits behind.
    """
    first = 0
    while first < len(units):
        last = first
        while last + 1 < len(units) and tokens.count(units[first].start, units[last + 1].end) <= profile.size:
            last += 1
        end = units[last].end
        yield replace(units[first], end=end)
        following = last + 1
        while (
            following < len(units)
            and following - 1 > first
            and tokens.count(units[following - 1].start, end) <= profile.overlap
            and tokens.count(units[following - 1].start, units[last + 1].end) <= profile.size
        ):
            following -= 1
        first = following


def _trimmed(text: str, start: int, end: int) -> Stretch:
    """The stretch without white space at its ends."""
    body = text[start:end]
    stripped = body.lstrip()
    start += len(body) - len(stripped)
    return start, start + len(stripped.rstrip())


def _chunk(
    document: Document,
    profile: ChunkProfile,
    blocks: Sequence[PlacedBlock],
    ordinal: int,
    unit: _Unit,
    token_count: int,
) -> Chunk:
    body = document.text[unit.start : unit.end]
    touched = [
        each for each in blocks if each.block.start_char < unit.end and each.block.end_char > unit.start
    ]
    if not body or not touched:
        raise StageContractError(
            f"{document.doc_id}: chunk {ordinal} at {unit.start} holds no block. The parser's offsets do "
            "not match its text; please report it."
        )
    told = [each.section for each in touched if each.block.kind not in HEADINGS]
    path, section = _place(told or [touched[-1].section])
    return Chunk(
        chunk_id=chunk_id(document.source, document.doc_id, document.version, ordinal),
        doc_id=document.doc_id,
        tenant_id=document.tenant_id,
        version=document.version,
        ordinal=ordinal,
        body=body,
        title_path=(document.title, *path),
        section=section,
        start_char=unit.start,
        end_char=unit.end,
        block_ids=tuple(each.block.block_id for each in touched),
        page_no=touched[0].block.page_no,
        token_count=token_count,
        granularity=unit.granularity,
        chunker=f"haystack/{profile.name}",
        chunker_version=CHUNKER_VERSION,
    )


def _place(sections: Sequence[Section]) -> tuple[tuple[str, ...], str]:
    """What the sections of a chunk have in common: headings above them, and role or innermost heading."""
    path = sections[0].title_path
    for section in sections[1:]:
        shared = (a == b for a, b in zip(path, section.title_path, strict=False))
        path = path[: next((at for at, same in enumerate(shared) if not same), len(section.title_path))]
    roles = {section.role for section in sections}
    role = roles.pop() if len(roles) == 1 else None
    return path, role or (path[-1].lower() if path else "")


@component
class HaystackChunker:
    """Chunks documents in any Haystack pipeline, by paragraphs; the plane's actors use its `chunker`."""

    def __init__(
        self, chunk_profile: str = "default", profile: str = "cpu", model: str | None = None
    ) -> None:
        """`model`: another sentence-transformers folder or hub id than the profile's."""
        chosen = chosen_profile(profile, model)
        found = find_model(chosen.embedding_model)
        self._chunk_profile = chunk_profile
        self.chunker = DocumentChunker(found.files, found.token_limit(chosen.max_tokens))

    @component.output_types(documents=list[HaystackDocument])
    def run(self, documents: list[HaystackDocument]) -> dict[str, list[HaystackDocument]]:
        """Chunks of all documents in order; `meta` is kept and has each chunk's offsets and tokens."""
        return {"documents": [chunk for document in documents for chunk in self._chunks(document)]}

    def _chunks(self, document: HaystackDocument) -> Iterator[HaystackDocument]:
        for chunk in self.chunker.chunk(_as_document(document), self._chunk_profile):
            meta: dict[str, Any] = {
                **document.meta,
                "source_id": document.id,
                "split_id": chunk.ordinal,
                "split_idx_start": chunk.start_char,
                "split_idx_end": chunk.end_char,
                "token_count": chunk.token_count,
            }
            yield HaystackDocument(content=chunk.body, meta=meta)


def _as_document(document: HaystackDocument) -> Document:
    """A Haystack document's text as one section, a block for each paragraph."""
    text = document.content or ""
    blocks = tuple(
        Block(block_id=f"p{number}", kind=BlockKind.PARAGRAPH, start_char=found.start(), end_char=found.end())
        for number, found in enumerate(re.finditer(r"\S(?:.|\n(?!\s*\n))*", text))
    )
    whole = Section(title="", title_path=(), role=None, start_char=0, end_char=len(text), blocks=blocks)
    return Document(
        doc_id=document.id,
        tenant_id="haystack",
        source="haystack",
        version=sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        title=str(document.meta.get("title", "")),
        text=text,
        sections=(whole,),
        parser="haystack/1",
    )
