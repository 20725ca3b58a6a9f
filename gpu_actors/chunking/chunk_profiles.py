"""Chunk profiles: how documents of one kind are cut, as data.

Input: a profile's name, from the topology's chunk stage. Output: its limits and the boundaries that no chunk
crosses. Imports neither Haystack nor a tokenizer, so that topologies are checked against it quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpu_actors.chunking.regions import Boundaries
from orchestration.errors import ConfigurationError

__all__ = ["CHUNK_PROFILES", "ChunkProfile", "SemanticSplit", "get_chunk_profile", "is_semantic"]


@dataclass(frozen=True, slots=True)
class SemanticSplit:
    """How running text is split where its topic shifts; see semantic.py."""

    sentences: int = 3
    """Most sentences of a group; groups are embedded and compared with their neighbours."""
    percentile: float = 0.95
    """Groups are split where their distance is above this quantile of the distances in the stretch."""
    least_characters: int = 400
    """Shorter pieces are joined to what follows them."""


@dataclass(frozen=True, slots=True)
class ChunkProfile:
    """How documents of one kind are cut."""

    name: str
    size: int
    """Most tokens of a packed chunk."""
    overlap: int
    """Most tokens that two neighbours share, in whole sentences."""
    boundaries: Boundaries
    semantic: SemanticSplit | None = None
    """How running text that does not fit into one chunk is split; None: sentences are packed."""


CHUNK_PROFILES: Final = {
    profile.name: profile
    for profile in (
        ChunkProfile("pmc-imrad", 450, 50, "imrad"),
        ChunkProfile("ctgov-registry", 300, 0, "sections"),
        ChunkProfile("spl-label", 450, 50, "label"),
        ChunkProfile("guideline", 450, 50, "recommendations"),
        ChunkProfile("default", 450, 50, "lengths"),
        ChunkProfile("default-semantic", 450, 0, "lengths", SemanticSplit()),
        ChunkProfile("pmc-imrad-semantic", 450, 0, "imrad", SemanticSplit()),
    )
}


def is_semantic(name: str) -> bool:
    """Return whether the profile needs vectors of sentence groups; False for an unknown profile."""
    profile = CHUNK_PROFILES.get(name)
    return profile is not None and profile.semantic is not None


def get_chunk_profile(name: str) -> ChunkProfile:
    """Return the chunk profile of that name; raises ConfigurationError with the known names."""
    try:
        return CHUNK_PROFILES[name]
    except KeyError:
        raise ConfigurationError(
            f"chunk profile {name!r} is unknown; there are {', '.join(sorted(CHUNK_PROFILES))}. Correct "
            "`profiles` of the topology's chunk stage."
        ) from None
