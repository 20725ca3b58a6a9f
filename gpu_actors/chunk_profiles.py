"""Chunk profiles: how documents of one kind are cut, as data.

Comes in: a profile's name, as the topology's chunk stage gives it. Leaves: its limits, and what no chunk
crosses. Imports neither Haystack nor a tokenizer, so that topologies are checked against it in no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpu_actors.regions import Boundaries
from orchestration.errors import ConfigurationError

__all__ = ["CHUNK_PROFILES", "ChunkProfile", "get_chunk_profile"]


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
        ChunkProfile("spl-label", 450, 50, "label"),
        ChunkProfile("guideline", 450, 50, "recommendations"),
        ChunkProfile("default", 450, 50, "lengths"),
    )
}


def get_chunk_profile(name: str) -> ChunkProfile:
    """The chunk profile of that name; raises ConfigurationError listing those there are."""
    try:
        return CHUNK_PROFILES[name]
    except KeyError:
        raise ConfigurationError(
            f"chunk profile {name!r} is unknown; there are {', '.join(sorted(CHUNK_PROFILES))}. Correct "
            "`profiles` of the topology's chunk stage."
        ) from None
