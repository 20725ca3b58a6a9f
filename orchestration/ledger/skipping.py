"""The skip rule: whether a document needs no work, since readers see what the work would produce."""

from __future__ import annotations

from sqlalchemy import RowMapping

__all__ = ["is_unchanged"]


def is_unchanged(
    version: str | None, fingerprint: str | None, pipeline: str, row: RowMapping, visible: RowMapping | None
) -> bool:
    """Return whether a run of this version, fingerprint and pipeline would produce what is committed.

    `row` is the documents row, `visible` the commits row of the document, if it has one. Both have to agree:
    a replay clears the committed columns of the row, and another pipeline may have committed last.
    """
    if version is None or visible is None:
        return False
    visible_state = (visible["version"], visible["fingerprint"], visible["pipeline"])
    committed = (row["committed_version"], row["committed_fingerprint"], row["pipeline_name"])
    return visible_state == committed == (version, fingerprint, pipeline)
