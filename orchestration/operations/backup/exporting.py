"""An export: the visible documents of a tenant, each as it was at one moment, and its aliases, in Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestration.contracts import Commit
from orchestration.ledger.database import HEAD
from orchestration.operations.backup.aliases import write_aliases
from orchestration.operations.backup.columns import Copied
from orchestration.operations.backup.folder import CopyFolder, Manifest
from orchestration.operations.backup.reading import StoredDocuments, by_intent, damaged
from orchestration.operations.backup.table_writer import TenantFiles
from orchestration.operations.parts import Parts

__all__ = ["Observe", "export_tenant"]

Observe = Callable[[int, int], None]
"""Hears how many documents of how many are done."""


def export_tenant(parts: Parts, folder: Path, observe: Observe) -> Manifest:
    """Write the settings' tenant into an empty or new folder. Writers may go on meanwhile.

    Raises UsageError for a folder in use, StoreCorruptError for a document that is not whole, and
    StoreUnwritableError; the folder then has no manifest and counts for nothing.
    """
    tenant_id = parts.settings.tenant
    copy = CopyFolder(folder, "medkg-export")
    stored = StoredDocuments(parts, with_graph=True)
    commits = visible(parts, tenant_id)
    total = len(commits)
    with TenantFiles(copy, "", part=1) as files:
        while commits:
            again: list[Commit] = []
            for groups in by_intent(commits).values():
                for result in (item for group in groups for item in stored.read(group)):
                    if isinstance(result, Copied):
                        files.add(result)
                    else:
                        again += _newer(parts, result)
                observe(files.documents, total)
            commits = again
    write_aliases(copy, parts.ledger.aliases.entries(tenant_id))
    shape = parts.vocabularies.shape()
    return copy.finish(shaping_settings(parts), HEAD, {tenant_id: files.counts}, shape)


def visible(parts: Parts, tenant_id: str) -> list[Commit]:
    """A tenant's commits in the order in which they were made."""
    place = {key: number for number, (key, _) in enumerate(parts.ledger.commits.changes(tenant_id, 0)[1])}
    return sorted(
        parts.ledger.commits.committed(tenant_id), key=lambda commit: place.get(commit.key, len(place))
    )


def shaping_settings(parts: Parts) -> dict[str, str]:
    """Settings under which a data folder was filled, for people and for `medkg restore` to compare."""
    settings = parts.settings
    return {
        "MEDKG_SEARCH_STORE": settings.search_store,
        "MEDKG_VECTOR_STORE": settings.vector_store,
        "MEDKG_PROFILE": settings.profile,
    }


def _newer(parts: Parts, read: Commit) -> list[Commit]:
    """What took the place of a commit that could not be read; nothing if its document is gone."""
    now = parts.ledger.commits.find(read.key)
    if now == read:
        raise damaged(read)
    return [] if now is None else [now]
