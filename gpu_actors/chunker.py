"""HaystackChunker: documents to chunks under profiles, in the embedding model's own tokens, offsets exact.

Comes in: a Document with sections and blocks. Leaves: chunks whose bodies are slices of its text. What a
profile keeps whole (a table, an outcome, eligibility criteria) is one chunk where the model can take it;
everything else is packed from sentences, which Haystack's DocumentSplitter finds, up to the profile's size,
with the profile's overlap. No chunk crosses a boundary that its profile respects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from haystack import Document as HaystackDocument
from haystack import component
from haystack.components.preprocessors import DocumentSplitter
from tokenizers import Tokenizer

from gpu_actors.profiles import CHUNKER_VERSION, find_model, get_profile
from gpu_actors.sentences import split_sentences
from orchestration.errors import ConfigurationError, StageContractError
from orchestration.records import Block, BlockKind, Chunk, Document, Section, chunk_id

__all__ = ["CHUNK_PROFILES", "ChunkProfile", "DocumentChunker", "HaystackChunker"]

_Region = list[tuple[Block, Section]]
"""Blocks with their sections, in text order."""

Granularity = Literal["chunk", "table", "outcome", "eligibility"]

IMRAD: Final = frozenset({"abstract", "introduction", "methods", "results", "discussion", "conclusions"})
HEADINGS: Final = frozenset({BlockKind.TITLE, BlockKind.HEADING})
WHOLE: Final[dict[BlockKind, Granularity]] = {
    BlockKind.TABLE: "table",
    BlockKind.OUTCOME: "outcome",
    BlockKind.ELIGIBILITY: "eligibility",
}


@dataclass(frozen=True, slots=True)
class ChunkProfile:
    """How documents of one kind are cut."""

    name: str
    size: int
    """Most tokens of a packed chunk."""
    overlap: int
    """Most tokens that two neighbours share, in whole sentences."""
    boundaries: Literal["imrad", "sections", "lengths"]
    """What no chunk crosses: IMRaD headings; top-level sections; or only those of top-level sections that do
    not fit together in one chunk."""


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
    tokens: int
    section: Section
    granularity: Granularity = "chunk"


class _Tokens:
    """A document's tokens by character: counts of any stretch that begins and ends at word boundaries."""

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        words = np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)
        self._starts = offsets[:, 0]
        first = np.ones(len(words), dtype=bool)
        first[1:] = words[1:] != words[:-1]
        self._word_starts = offsets[first, 0]
        self._words_before = np.searchsorted(self._starts, self._word_starts)

    def count(self, start: int, end: int) -> int:
        """Tokens that begin in text[start:end]."""
        low, high = np.searchsorted(self._starts, (start, end))
        return int(high - low)

    def cut(self, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
        """The stretch in pieces of up to `size` tokens, cut before words; a giant word stays alone."""
        while self.count(start, end) > size:
            limit = int(np.searchsorted(self._starts, start)) + size
            word = int(np.searchsorted(self._words_before, limit, side="right")) - 1
            at = int(self._word_starts[word])
            if at <= start:
                at = int(self._word_starts[word + 1]) if word + 1 < len(self._word_starts) else end
            if at >= end:
                break
            yield start, at
            start = at
        yield start, end


class DocumentChunker:
    """Cuts documents for one embedding model; stateless between documents."""

    def __init__(self, location: str, max_tokens: int) -> None:
        """`location`: folder of the model; `max_tokens`: its limit, special tokens included."""
        self._tokenizer = Tokenizer.from_file(str(Path(location) / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._room = max_tokens - self._tokenizer.num_special_tokens_to_add(False)
        self._sentences = DocumentSplitter(
            split_by="function", splitting_function=split_sentences, split_length=1, split_overlap=0
        )

    def chunk(self, document: Document, profile_name: str) -> list[Chunk]:
        """The document's chunks in text order; [] if it has no text outside headings and references."""
        profile = self._profile(profile_name)
        tokens = _Tokens(self._tokenizer, document.text)
        spans = [
            span
            for region in _regions(document, tokens, profile)
            for span in self._region(document.text, tokens, region, profile)
        ]
        spans.sort(key=lambda unit: (unit.start, unit.end))
        blocks = list(_blocks(document.sections))
        return [_chunk(document, profile, blocks, ordinal, unit) for ordinal, unit in enumerate(spans)]

    def _profile(self, name: str) -> ChunkProfile:
        try:
            profile = CHUNK_PROFILES[name]
        except KeyError:
            raise ConfigurationError(
                f"chunk profile {name!r} is unknown; there are {', '.join(sorted(CHUNK_PROFILES))}. Correct "
                "`profiles` of the topology's chunk stage."
            ) from None
        return replace(profile, size=min(profile.size, self._room))

    def _region(self, text: str, tokens: _Tokens, blocks: _Region, profile: ChunkProfile) -> Iterator[_Unit]:
        """Chunks of one region: runs of running text packed, what stays whole between them."""
        start, end = _trimmed(text, blocks[0][0].start_char, blocks[-1][0].end_char)
        kinds = {block.kind for block, _ in blocks}
        if not kinds & (WHOLE.keys() | {BlockKind.REFERENCE}) and tokens.count(start, end) <= profile.size:
            if count := tokens.count(start, end):
                yield _Unit(start, end, count, blocks[0][1])
            return
        yield from self._pieces(text, tokens, blocks, profile)

    def _pieces(self, text: str, tokens: _Tokens, blocks: _Region, profile: ChunkProfile) -> Iterator[_Unit]:
        run: list[_Unit] = []
        heading: int | None = None
        for block, section in blocks:
            start, end = _trimmed(text, block.start_char, block.end_char)
            if start == end or block.kind is BlockKind.REFERENCE:
                continue
            if block.kind in HEADINGS:
                heading = start if heading is None else heading
                continue
            if block.kind in WHOLE:
                yield from _packed(tokens, run, profile)
                run = []
                yield from self._whole(text, tokens, start, end, section, WHOLE[block.kind], profile)
            else:
                first = start if heading is None else heading
                run.extend(self._units(text, tokens, first, end, section, profile))
            heading = None
        if heading is not None and not run:
            last_section = blocks[-1][1]
            start, end = _trimmed(text, heading, blocks[-1][0].end_char)
            run.extend(self._units(text, tokens, start, end, last_section, profile))
        yield from _packed(tokens, run, profile)

    def _whole(
        self,
        text: str,
        tokens: _Tokens,
        start: int,
        end: int,
        section: Section,
        granularity: Granularity,
        profile: ChunkProfile,
    ) -> Iterator[_Unit]:
        """One chunk where the model can take it, else packed from its lines or sentences."""
        count = tokens.count(start, end)
        if count <= self._room:
            if count:
                yield _Unit(start, end, count, section, granularity)
            return
        parts = [
            replace(unit, granularity=granularity)
            for unit in self._sentence_units(text, tokens, start, end, section, profile)
        ]
        yield from _packed(tokens, parts, replace(profile, overlap=0))

    def _units(
        self, text: str, tokens: _Tokens, start: int, end: int, section: Section, profile: ChunkProfile
    ) -> Iterator[_Unit]:
        """A block as one unit where it is short, else its sentences."""
        count = tokens.count(start, end)
        if count <= profile.overlap or not count:
            if count:
                yield _Unit(start, end, count, section)
            return
        yield from self._sentence_units(text, tokens, start, end, section, profile)

    def _sentence_units(
        self, text: str, tokens: _Tokens, start: int, end: int, section: Section, profile: ChunkProfile
    ) -> Iterator[_Unit]:
        split = self._sentences.run([HaystackDocument(content=text[start:end])])["documents"]
        for sentence in split:
            begin = start + int(sentence.meta["split_idx_start"])
            first, last = _trimmed(text, begin, begin + len(sentence.content or ""))
            for piece_start, piece_end in tokens.cut(first, last, profile.size):
                low, high = _trimmed(text, piece_start, piece_end)
                if count := tokens.count(low, high):
                    yield _Unit(low, high, count, section)


def _packed(tokens: _Tokens, units: Sequence[_Unit], profile: ChunkProfile) -> Iterator[_Unit]:
    """Consecutive units joined up to the profile's size, with its overlap in whole units."""
    first = 0
    while first < len(units):
        last = first
        while last + 1 < len(units) and tokens.count(units[first].start, units[last + 1].end) <= profile.size:
            last += 1
        start, end = units[first].start, units[last].end
        yield replace(units[first], start=start, end=end, tokens=tokens.count(start, end))
        if last + 1 >= len(units):
            return
        following = last + 1
        while following - 1 > first and tokens.count(units[following - 1].start, end) <= profile.overlap:
            following -= 1
        first = following


# --- regions ---------------------------------------------------------------------------------------


def _regions(document: Document, tokens: _Tokens, profile: ChunkProfile) -> list[_Region]:
    """Blocks in text order, grouped so that no chunk crosses from one group to the next."""
    if profile.boundaries == "imrad":
        return _imrad_regions(document.sections)
    regions = [list(_blocks([section])) for section in document.sections]
    regions = [region for region in regions if region]
    return _joined(regions, tokens, profile.size) if profile.boundaries == "lengths" else regions


def _joined(regions: Sequence[_Region], tokens: _Tokens, size: int) -> list[_Region]:
    """Neighbours as one region while they fit into a chunk together."""
    joined: list[_Region] = []
    for region in regions:
        if joined and tokens.count(joined[-1][0][0].start_char, region[-1][0].end_char) <= size:
            joined[-1] = [*joined[-1], *region]
        else:
            joined.append(region)
    return joined


def _imrad_regions(sections: Iterable[Section]) -> list[_Region]:
    """A region for each top-level section, and for each nested one whose IMRaD role is its own."""
    regions: list[_Region] = []

    def visit(section: Section, role: str | None, region: _Region) -> None:
        own = section.role if section.role in IMRAD else None
        if own is not None and own != role and region:
            region = []
            regions.append(region)
        parts: list[tuple[int, Block | Section]] = [(block.start_char, block) for block in section.blocks]
        parts += [(child.start_char, child) for child in section.sections]
        for _, part in sorted(parts, key=lambda pair: pair[0]):
            if isinstance(part, Section):
                visit(part, own or role, region)
            else:
                region.append((part, section))

    for section in sections:
        region: _Region = []
        regions.append(region)
        visit(section, section.role, region)
    return [region for region in regions if region]


def _blocks(sections: Iterable[Section]) -> Iterator[tuple[Block, Section]]:
    """Every block with its section, in text order."""
    for section in sections:
        parts: list[tuple[int, Block | Section]] = [(block.start_char, block) for block in section.blocks]
        parts += [(child.start_char, child) for child in section.sections]
        for _, part in sorted(parts, key=lambda pair: pair[0]):
            if isinstance(part, Section):
                yield from _blocks([part])
            else:
                yield part, section


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch without white space at its ends."""
    body = text[start:end]
    stripped = body.lstrip()
    start += len(body) - len(stripped)
    return start, start + len(stripped.rstrip())


# --- chunks ----------------------------------------------------------------------------------------


def _chunk(
    document: Document,
    profile: ChunkProfile,
    blocks: Sequence[tuple[Block, Section]],
    ordinal: int,
    unit: _Unit,
) -> Chunk:
    body = document.text[unit.start : unit.end]
    touched = [block for block, _ in blocks if block.start_char < unit.end and block.end_char > unit.start]
    if not body or not touched:
        raise StageContractError(
            f"{document.doc_id}: chunk {ordinal} at {unit.start} holds no block; a defect."
        )
    section = unit.section
    return Chunk(
        chunk_id=chunk_id(document.source, document.doc_id, document.version, ordinal),
        doc_id=document.doc_id,
        tenant_id=document.tenant_id,
        version=document.version,
        ordinal=ordinal,
        body=body,
        title_path=(document.title, *section.title_path),
        section=section.role or section.title.lower(),
        start_char=unit.start,
        end_char=unit.end,
        block_ids=tuple(block.block_id for block in touched),
        page_no=touched[0].page_no,
        token_count=unit.tokens,
        granularity=unit.granularity,
        chunker=f"haystack/{profile.name}",
        chunker_version=CHUNKER_VERSION,
    )


# --- Haystack --------------------------------------------------------------------------------------


@component
class HaystackChunker:
    """Chunks medkg documents inside a Haystack pipeline: each chunk a document with offsets in `meta`."""

    def __init__(
        self, chunk_profile: str = "default", profile: str = "cpu", model: str | None = None
    ) -> None:
        chosen = get_profile(profile)
        location = find_model(model or chosen.embedding_model).location
        self._chunk_profile = chunk_profile
        self._chunker = DocumentChunker(location, chosen.max_tokens)

    @component.output_types(documents=list[HaystackDocument])
    def run(self, documents: list[Document]) -> dict[str, list[HaystackDocument]]:
        """`documents` are medkg Documents; the chunks of all, in order."""
        chunks = [
            chunk for document in documents for chunk in self._chunker.chunk(document, self._chunk_profile)
        ]
        return {"documents": [_as_haystack(chunk) for chunk in chunks]}


def _as_haystack(chunk: Chunk) -> HaystackDocument:
    meta: dict[str, Any] = chunk.model_dump(mode="json", exclude={"body", "metadata"})
    return HaystackDocument(id=chunk.chunk_id, content=chunk.body, meta=meta)
