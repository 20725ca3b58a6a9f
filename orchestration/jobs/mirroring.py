"""Mirrors: which documents are gone from a folder or a service since they were listed.

Comes in: a job whose request is a mirror, once it is listed. Leaves: what is to be removed, or why nothing
is. What could not be read counts as still there, and so does everything of an origin that listed
nothing: its disk may not be mounted. A file that was also listed through a link is one file: its places under
other names go with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts import (
    DocumentStore,
    IndexWriter,
    JobState,
    Ledger,
    Place,
    Source,
    SourceRequest,
    Submission,
)
from orchestration.errors import UsageError
from orchestration.jobs.linked_places import is_within, other_names
from orchestration.jobs.syncing import listing_place
from orchestration.records import DocumentKey
from orchestration.sources.file_walk import path_of
from orchestration.stores.deletion import delete_documents

__all__ = ["MirrorPlan", "check_mirror", "forget_moved", "plan_mirror", "remove_gone"]

INCOMPLETE: Final = (JobState.ENUMERATING, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """What a mirror removes."""

    job_id: str
    documents: tuple[DocumentKey, ...] = ()
    """Documents that are nowhere any more."""
    places: tuple[Place, ...] = ()
    """Places that are gone, also of documents that have others."""
    kept_because: tuple[str, ...] = ()
    """Why something is not removed that the listing does not name."""


def check_mirror(request: SourceRequest, source: Source) -> None:
    """Raise UsageError for a mirror of what would not be listed completely."""
    if not request.mirror:
        return
    if request.limit is not None:
        raise UsageError("--mirror needs the complete listing, which --limit cuts off. Leave one out.")
    if not request.paths and not hasattr(source, "listing"):
        raise UsageError(f"--mirror: source {request.plugin} does not say where its documents are listed.")


def plan_mirror(ledger: Ledger, submission: Submission, source: Source) -> MirrorPlan:
    """What the job's listing no longer names, of the documents that were listed at its origins."""
    job_id = submission.job_id
    if ledger.jobs.account(job_id).state in INCOMPLETE:
        return MirrorPlan(job_id, kept_because=("the listing was interrupted",))
    unread = {path_of(uri) for uri in ledger.places.unread(job_id)}
    gone: list[Place] = []
    kept_because = []
    for origin in _origins(submission.request, source):
        unlisted = ledger.places.unlisted(job_id, [origin])
        if not ledger.places.listed_at(job_id, origin):
            if not unlisted:
                continue
            kept_because.append(
                f"{origin} lists nothing now, {len(unlisted)} documents before; if it is mounted and empty, "
                f"`medkg docs delete --origin {origin}` deletes them"
            )
            continue
        readable = [place for place in unlisted if not is_within(path_of(place.place), unread)]
        if len(readable) < len(unlisted):
            kept_because.append(f"{len(unlisted) - len(readable)} places could not be read")
        gone += readable
        gone += other_names(ledger.places, job_id, origin, unlisted, unread)
    places = list(dict.fromkeys(gone))
    return MirrorPlan(job_id, tuple(ledger.places.only_at(places)), tuple(places), tuple(kept_because))


def remove_gone(ledger: Ledger, index: IndexWriter, documents: DocumentStore, plan: MirrorPlan) -> int:
    """Delete the documents of a plan and forget its places; returns the number of documents. Idempotent."""
    delete_documents(ledger.documents, index, documents, plan.documents)
    ledger.places.forget(plan.places)
    ledger.jobs.note_removed(plan.job_id, len(plan.documents))
    return len(plan.documents)


def forget_moved(ledger: Ledger, submission: Submission, source: Source) -> None:
    """Forget places from which files have moved to where the job listed them."""
    has_place = getattr(source, "has_place", None)
    if has_place is not None:
        left = [place for place in ledger.places.moved_from(submission.job_id) if not has_place(place.place)]
        ledger.places.forget(left)


def _origins(request: SourceRequest, source: Source) -> Sequence[str]:
    if hasattr(source, "listing"):
        return [listing_place(request, source.origin)]  # type: ignore[attr-defined]
    return list(dict.fromkeys(os.path.abspath(path) for path in request.paths))  # noqa: PTH100
