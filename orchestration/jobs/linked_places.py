"""Places of one file under several names, as symbolic links yield them.

Input: what a mirror did not list at its origin. Output: the places elsewhere that are files of this origin by
their real paths and were not listed either. Documents keep the paths that the user named, since a link such
as `current` may lead to another folder tomorrow; only a mirror resolves them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from orchestration.batching import batched
from orchestration.contracts import Place, PlaceLedger
from orchestration.records import DocumentKey
from orchestration.sources.file_walk import file_uri, is_path, path_of

__all__ = ["is_within", "other_names"]

BATCH: Final = 200
"""Folders of one query, since SQLite bounds the depth of a condition."""


def other_names(
    places: PlaceLedger, job_id: str, origin: str, unlisted: Sequence[Place], unread: Collection[Path]
) -> list[Place]:
    """Return places not beneath the origin whose files are, by their real paths, and which are gone.

    `unlisted` are the places at the origin that the job, whose request is a mirror, did not list. A place is
    still there if the job listed its document at the same real path, or could not read it.
    """
    if not is_path(origin):
        return []
    folder = Path(origin)
    names = {place for _, place in places.moved_from(job_id)}
    names.update(name for known in places.of(_keys(unlisted)).values() for name in known)
    candidates = _candidates(places, job_id, names, folder)
    resolved = {_real(path) for path in unread}
    listed = _listed(places, candidates, folder, set(unlisted))
    return [
        place
        for place in candidates
        if is_within(real := _real(path_of(place.place)), {_real(folder)})
        and not is_within(real, resolved)
        and Place(place.key, str(real)) not in listed
    ]


def is_within(path: Path, folders: Collection[Path]) -> bool:
    """Return whether the path is one of these, or beneath one; by their names alone."""
    return path in folders or any(parent in folders for parent in path.parents)


def _candidates(places: PlaceLedger, job_id: str, names: set[str], origin: Path) -> list[Place]:
    """Unlisted places in the folders that lead to the origin, found by these names and by what they list."""
    candidates: dict[Place, None] = {}
    searched: set[str] = set()
    while roots := sorted(_roots(names, origin) - searched):
        searched.update(roots)
        unlisted = [place for batch in batched(roots, BATCH) for place in places.unlisted(job_id, batch)]
        candidates.update(dict.fromkeys(unlisted))
        names = {name for known in places.of(_keys(unlisted)).values() for name in known}
    return list(candidates)


def _roots(names: Iterable[str], origin: Path) -> set[str]:
    """The highest folders outside the origin that lead to it or into it, as places; else the files."""
    real_origin = {_real(origin)}

    @cache
    def root(path: Path) -> Path | None:
        if not is_within(_real(path), real_origin):
            return None
        return root(path.parent) or path

    outside = (path_of(name) for name in names if is_path(name))
    highest = {root(path) for path in outside if not is_within(path, {origin})}
    return {file_uri(path) for path in highest if path is not None}


def _listed(
    places: PlaceLedger, candidates: Sequence[Place], origin: Path, unlisted: Collection[Place]
) -> set[Place]:
    """The documents of the candidates that the job listed at the origin, with their real paths."""
    return {
        Place(key, str(_real(path_of(name))))
        for key, names in places.of(_keys(candidates)).items()
        for name in names
        if is_path(name) and is_within(path_of(name), {origin}) and Place(key, name) not in unlisted
    }


def _keys(places: Iterable[Place]) -> list[DocumentKey]:
    return list(dict.fromkeys(place.key for place in places))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
