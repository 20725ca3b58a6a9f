"""Documents to chunks under profiles, in the embedding model's own tokens, offsets exact.

Input: a Document with sections and blocks. Output: chunks whose bodies are slices of its text. A block that
is kept whole (a table, an outcome, eligibility criteria) is one chunk if it fits the model; everything else
is packed from sentences up to the profile's size, with the profile's overlap. No chunk crosses a boundary of
its profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Final, Literal

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.chunking.chunk_profiles import ChunkProfile, get_chunk_profile
from gpu_actors.chunking.document_tokens import DocumentTokens
from gpu_actors.chunking.label_sections import label_passages
from gpu_actors.chunking.passages import Passage, passage_at, passage_regions
from gpu_actors.chunking.recommendations import recommendation_passages
from gpu_actors.chunking.regions import HEADINGS, PlacedBlock, cut_regions, place_of, placed_blocks
from gpu_actors.chunking.semantic import Stretch, coherence, semantic_runs
from gpu_actors.profiles import CHUNKER_VERSION
from orchestration.contracts import split_sentences
from orchestration.errors import ConfigurationError, StageContractError
from orchestration.records import (
    NOT_INDEXED,
    Block,
    BlockKind,
    Chunk,
    Document,
    Float32Matrix,
    chunk_id,
)

__all__ = ["DocumentChunker"]

Granularity = Literal["chunk", "table", "outcome", "eligibility"]

WHOLE: Final[dict[BlockKind, Granularity]] = {
    BlockKind.TABLE: "table",
    BlockKind.OUTCOME: "outcome",
    BlockKind.ELIGIBILITY: "eligibility",
}
APART: Final = NOT_INDEXED | WHOLE.keys()
INEXACT_ROOM: Final = 16
"""Tokens kept free for tokenizers whose counts in context differ from those of the stretch alone."""


PASSAGES: Final = {"label": label_passages, "recommendations": recommendation_passages}
"""Functions that find the passages of a profile's boundaries."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest stretch that packing moves: a sentence, a short block, or a block kept whole."""

    start: int
    end: int
    granularity: Granularity = "chunk"


@dataclass(frozen=True, slots=True)
class _Work:
    """One document while it is cut."""

    text: str
    tokens: DocumentTokens
    profile: ChunkProfile
    blocks: Sequence[PlacedBlock]
    regions: Sequence[Sequence[PlacedBlock]]
    passages: Sequence[Passage] = ()
    groups: Sequence[Stretch] = ()
    """Sentence groups in order, under semantic profiles."""
    vectors: Float32Matrix | None = None
    """Their unit vectors, float32 [groups, d]."""


class DocumentChunker:
    """Cuts documents for one embedding model; stateless between documents."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """`folder`: of the model; `max_tokens`: its limit, special tokens included."""
        self._tokenizer = TextTokenizer(folder, max_tokens)
        self._room = self._tokenizer.room - (0 if self._tokenizer.counts_add_up else INEXACT_ROOM)

    def sentence_groups(self, document: Document, profile_name: str) -> list[str]:
        """Return the texts whose vectors `chunk` needs under a semantic profile, in order; [] for others.

        Raises ConfigurationError for an unknown profile.
        """
        work = self._work(document, profile_name)
        return [document.text[start:end] for start, end in self._groups(work)]

    def chunk(
        self, document: Document, profile_name: str, vectors: Float32Matrix | None = None
    ) -> list[Chunk]:
        """Return the document's chunks in text order; [] if its text has no tokens.

        `vectors`: of its sentence groups, float32 [groups, d], unit length; for semantic profiles only.
        Raises ConfigurationError for an unknown profile, and for a semantic one without vectors.
        """
        work = self._work(document, profile_name)
        if work.profile.semantic is not None:
            work = replace(work, groups=self._groups(work), vectors=vectors)
            _check_vectors(document, work)
        units = [
            unit
            for region in work.regions
            for unit in self._region(work, region)
            if work.tokens.count(unit.start, unit.end)
        ]
        counts = self._counts(work, units)
        return [
            _chunk(document, work, ordinal, unit, count)
            for ordinal, (unit, count) in enumerate(zip(units, counts, strict=True))
        ]

    def _work(self, document: Document, profile_name: str) -> _Work:
        profile = get_chunk_profile(profile_name)
        profile = replace(profile, size=min(profile.size, self._room))
        blocks = placed_blocks(document.sections)
        end = max((placed.block.end_char for placed in blocks), default=0)
        tokens = DocumentTokens(*self._tokenizer.encodings([document.text[:end]]))
        find = PASSAGES.get(profile.boundaries)
        if find is not None:
            passages = find(document.text, blocks)
            return _Work(document.text, tokens, profile, blocks, passage_regions(blocks, passages), passages)
        regions = cut_regions(
            blocks, profile.boundaries, lambda start, end: tokens.count(start, end) <= profile.size
        )
        return _Work(document.text, tokens, profile, blocks, regions)

    def _counts(self, work: _Work, units: Sequence[_Unit]) -> list[int]:
        """Tokens of each unit as the model will see it, special ones not included."""
        if self._tokenizer.counts_add_up:
            return [work.tokens.count(unit.start, unit.end) for unit in units]
        return [len(each) for each in self._tokenizer.encodings([work.text[u.start : u.end] for u in units])]

    def _region(self, work: _Work, region: Sequence[PlacedBlock]) -> Iterator[_Unit]:
        """Chunks of one region: runs of running text, what stays whole between them."""
        for blocks in _runs(region):
            if blocks[0].kind in WHOLE:
                yield from self._whole(work, blocks[0])
            elif stretches := _stretches(blocks):
                yield from self._run(work, stretches)

    def _run(self, work: _Work, stretches: Sequence[Stretch]) -> Iterator[_Unit]:
        """Running text: one chunk if it fits, else packed sentences or semantic runs."""
        start, end = _trimmed(work.text, stretches[0][0], stretches[-1][1])
        if work.profile.semantic is not None:
            inside = [number for number, group in enumerate(work.groups) if start <= group[0] < end]
            yield from self._semantic(work, inside)
        elif work.tokens.count(start, end) <= work.profile.size:
            yield _Unit(start, end)
        else:
            units = [unit for stretch in stretches for unit in self._units(work, *stretch)]
            yield from _packed(work.tokens, self._joined(work, units), work.profile)

    def _semantic(self, work: _Work, groups: Sequence[int]) -> Iterator[_Unit]:
        """Split where the topic shifts most until every run fits a chunk; packed where it never shifts."""
        assert work.profile.semantic is not None and work.vectors is not None
        waiting = [list(groups)] if groups else []
        while waiting:
            numbers = waiting.pop()
            stretches = [work.groups[number] for number in numbers]
            if work.tokens.count(stretches[0][0], stretches[-1][1]) <= work.profile.size:
                yield _Unit(stretches[0][0], stretches[-1][1])
                continue
            sizes = semantic_runs(work.text, stretches, work.vectors[numbers], work.profile.semantic)
            if len(sizes) == 1:
                yield from _packed(work.tokens, [_Unit(*stretch) for stretch in stretches], work.profile)
                continue
            ends = list(accumulate(sizes))
            runs = [numbers[end - size : end] for size, end in zip(sizes, ends, strict=True)]
            waiting += reversed(runs)

    def _groups(self, work: _Work) -> list[Stretch]:
        """Groups of consecutive sentences of a block, the headings above it included."""
        split = work.profile.semantic
        if split is None:
            return []
        groups: list[Stretch] = []
        for stretch in _running_text(work):
            count = 0
            for unit in _pieces(work, _sentences(work, *_trimmed(work.text, *stretch))):
                goes_on = 0 < count < split.sentences
                if goes_on and work.tokens.count(groups[-1][0], unit.end) <= work.profile.size:
                    groups[-1] = groups[-1][0], unit.end
                    count += 1
                else:
                    groups.append((unit.start, unit.end))
                    count = 1
        return groups

    def _joined(self, work: _Work, units: Sequence[_Unit]) -> list[_Unit]:
        """The units, with those of a stretch that is kept whole joined to one if it fits the model.

        Bare headings directly above it are joined to it, or dropped, since the title path has them.
        """
        joined: list[_Unit] = []
        for whole, group in groupby(units, key=lambda unit: _whole_at(work.passages, unit)):
            inside = list(group)
            together = replace(inside[0], end=inside[-1].end)
            if whole is None or work.tokens.count(together.start, together.end) > self._room:
                joined += inside
                continue
            while joined and passage_at(work.passages, joined[-1].start) == passage_at(
                work.passages, whole[0]
            ):
                above = joined.pop()
                if work.tokens.count(above.start, together.end) <= self._room:
                    together = replace(above, end=together.end)
            joined.append(together)
        return joined

    def _whole(self, work: _Work, block: Block) -> Iterator[_Unit]:
        """One chunk if it fits the model, else its rows or sentences packed, without overlap."""
        granularity = WHOLE[block.kind]
        start, end = _trimmed(work.text, block.start_char, block.end_char)
        if work.tokens.count(start, end) <= self._room:
            yield _Unit(start, end, granularity)
            return
        is_table = block.kind is BlockKind.TABLE
        stretches = _lines(work.text, start, end) if is_table else _sentences(work, start, end)
        for unit in _packed(work.tokens, list(_pieces(work, stretches)), replace(work.profile, overlap=0)):
            yield replace(unit, granularity=granularity)

    def _units(self, work: _Work, start: int, end: int) -> Iterator[_Unit]:
        """A block as one unit if it is short enough to be overlap as a whole, else its sentences."""
        start, end = _trimmed(work.text, start, end)
        if work.tokens.count(start, end) <= work.profile.overlap:
            yield _Unit(start, end)
        else:
            yield from _pieces(work, _sentences(work, start, end))


def _sentences(work: _Work, start: int, end: int) -> Iterator[Stretch]:
    """The sentences of a stretch, end to end."""
    for sentence in split_sentences(work.text[start:end]):
        yield start, start + len(sentence)
        start += len(sentence)


def _runs(region: Sequence[PlacedBlock]) -> Iterator[list[Block]]:
    """The region's blocks: those of running text together, the others one by one if they are indexed."""
    for apart, group in groupby((placed.block for placed in region), key=lambda block: block.kind in APART):
        blocks = list(group)
        if apart:
            yield from ([block] for block in blocks if block.kind in WHOLE)
        else:
            yield blocks


def _stretches(blocks: Sequence[Block]) -> list[Stretch]:
    """A stretch a block; headings begin that of what follows them, and are left out where nothing does."""
    last = max((at for at, block in enumerate(blocks) if block.kind not in HEADINGS), default=None)
    if last is None and blocks[0].kind is BlockKind.TITLE:
        last = len(blocks) - 1
    if last is None:
        return []
    stretches: list[Stretch] = []
    heading: int | None = None
    for block in blocks[: last + 1]:
        first = block.start_char if heading is None else heading
        if block.kind in HEADINGS and block is not blocks[last]:
            heading = first
            continue
        heading = None
        stretches.append((first, block.end_char))
    return stretches


def _running_text(work: _Work) -> Iterator[Stretch]:
    for region in work.regions:
        for blocks in _runs(region):
            if blocks[0].kind not in WHOLE:
                yield from _stretches(blocks)


def _whole_at(passages: Sequence[Passage], unit: _Unit) -> Stretch | None:
    """What stays whole of the passage that the unit is in, if the unit holds some of it."""
    passage = passage_at(passages, unit.start)
    if passage is None or passage.whole is None:
        return None
    start, end = passage.whole
    return passage.whole if unit.start < end and unit.end > start else None


def _lines(text: str, start: int, end: int) -> Iterator[Stretch]:
    for line in re.finditer(r"[^\n]+", text[start:end]):
        yield start + line.start(), start + line.end()


def _pieces(work: _Work, stretches: Iterator[Stretch]) -> Iterator[_Unit]:
    """Each stretch as a unit, or as several where it is longer than a chunk; those without tokens go."""
    for stretch in stretches:
        for piece in work.tokens.cut(*_trimmed(work.text, *stretch), work.profile.size):
            start, end = _trimmed(work.text, *piece)
            if work.tokens.count(start, end):
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


def _chunk(document: Document, work: _Work, ordinal: int, unit: _Unit, token_count: int) -> Chunk:
    body = document.text[unit.start : unit.end]
    touched = [
        each for each in work.blocks if each.block.start_char < unit.end and each.block.end_char > unit.start
    ]
    if not body or not touched:
        raise StageContractError(
            f"{document.doc_id}: chunk {ordinal} at {unit.start} holds no block. The parser's offsets do "
            "not match its text; please report it."
        )
    sections = [each.section for each in touched if each.block.kind not in HEADINGS]
    path, section = place_of(sections or [touched[-1].section])
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
        chunker=f"haystack/{work.profile.name}",
        chunker_version=CHUNKER_VERSION,
        metadata=_metadata(work, unit),
    )


def _check_vectors(document: Document, work: _Work) -> None:
    if work.vectors is None:
        raise ConfigurationError(
            f"chunk profile {work.profile.name!r} is semantic and needs the vectors of sentence groups. Cut "
            "through the plane, or give HaystackChunker a document_embedder."
        )
    if len(work.vectors) != len(work.groups):
        raise StageContractError(
            f"{document.doc_id}: {len(work.vectors)} vectors for {len(work.groups)} sentence groups. Please "
            "report it."
        )


def _metadata(work: _Work, unit: _Unit) -> dict[str, Any]:
    """Metadata of the chunk's passage; under semantic profiles, its coherence."""
    if work.vectors is not None and unit.granularity == "chunk":
        inside = [at for at, group in enumerate(work.groups) if unit.start <= group[0] < unit.end]
        return {"coherence": coherence(work.vectors[inside])}
    passage = passage_at(work.passages, unit.start)
    if passage is None or (passage.whole is not None and _whole_at(work.passages, unit) is None):
        return {}
    return dict(passage.metadata)
