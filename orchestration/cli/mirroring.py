"""`--mirror`: prints what is gone from a folder or listing, asks, and removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.cli.output import can_ask, confirmed, first_names, note
from orchestration.jobs.foreground import Mirrored

if TYPE_CHECKING:
    from orchestration.contracts import Submission
    from orchestration.operations.data_folder import DataFolder


class Removal:
    """Removes what an enumerated mirror no longer lists; to be called when its listing has ended."""

    def __init__(self, data_folder: DataFolder, submission: Submission, *, yes: bool) -> None:
        self._data_folder = data_folder
        self._submission = submission
        self._yes = yes

    def __call__(self) -> Mirrored:
        """Print the plan, and carry it out if the user agrees."""
        plan = self._data_folder.submissions.mirror_plan(self._submission)
        for reason in plan.kept_because:
            note(f"not removed: {reason}")
        count = len(plan.documents)
        if count:
            note(f"gone: {count:,} documents: {first_names([key.doc_id for key in plan.documents])}")
        if count and not self._agreed():
            return Mirrored(gone=count, removed=0, kept_because=plan.kept_because)
        removed = self._data_folder.documents.mirror(plan)
        return Mirrored(gone=count, removed=removed, kept_because=plan.kept_because)

    def _agreed(self) -> bool:
        if self._yes or can_ask():
            return confirmed("Remove them from index and document store?", yes=self._yes)
        note("not removed: add --yes where there is no terminal to ask on")
        return False
