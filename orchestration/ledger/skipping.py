"""The skip rule: what a document needs, since readers see the rest of what the work would produce."""

from __future__ import annotations

from sqlalchemy import RowMapping

from orchestration.contracts import ALL_DUE, Due, due
from orchestration.ledger.rows import commit_of
from orchestration.records import Fingerprints

__all__ = ["is_unchanged", "work_due"]


def is_unchanged(
    version: str | None, now: Fingerprints, pipeline: str, row: RowMapping, visible: RowMapping | None
) -> bool:
    """Return whether a run of this version and pipeline, with these fingerprints, would commit the same.

    Arguments as of `work_due`.
    """
    if version is None or visible is None or not _agree(row, visible):
        return False
    committed = (
        visible["version"],
        visible["fingerprint"],
        visible["graph_fingerprint"],
        visible["pipeline"],
    )
    return committed == (version, now.index, now.graph, pipeline)


def work_due(
    version: str | None, now: Fingerprints, pipeline: str, row: RowMapping, visible: RowMapping | None
) -> Due:
    """Return what a run would have to do.

    `row` is the documents row, `visible` the commits row of the document, if it has one. Both have to agree:
    a replay clears the committed columns of the row, and another pipeline may have committed last.
    """
    if version is None or visible is None or not _agree(row, visible):
        return ALL_DUE
    return due(version, now, pipeline, commit_of(visible))


def _agree(row: RowMapping, visible: RowMapping) -> bool:
    committed = (row["committed_version"], row["committed_fingerprint"], row["pipeline_name"])
    return (visible["version"], visible["fingerprint"], visible["pipeline"]) == committed
