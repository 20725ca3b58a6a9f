"""Aliases of concepts in an export of a tenant: one row per alias.

Comes in: the tenant's aliases. Leaves: the same. Exports from before there were aliases have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import Alias
from orchestration.operations.backup.folder import CopyFolder, Manifest

__all__ = ["read_aliases", "write_aliases"]

ALIASES: Final = "aliases.parquet"
_TEXTS: Final = ("alias_id", "from_key", "to_key", "rule", "origin", "version", "reason")
_SCHEMA: Final = pa.schema(
    [*((name, pa.string()) for name in _TEXTS), ("created_at", pa.float64())],
    metadata={"description": "Keys of concepts that stand for the same thing."},
)


def write_aliases(copy: CopyFolder, aliases: Sequence[Alias]) -> None:
    """Add the file of aliases to an export, also where there are none."""
    with copy.file(ALIASES) as (path, rows):
        pq.write_table(pa.Table.from_pylist([each.model_dump() for each in aliases], schema=_SCHEMA), path)
        rows.append(len(aliases))


def read_aliases(folder: Path, manifest: Manifest) -> list[Alias]:
    """The aliases of a copy whose files were checked."""
    if all(file.path != ALIASES for file in manifest.files):
        return []
    return [Alias.model_validate(row) for row in pq.read_table(folder / ALIASES).to_pylist()]
