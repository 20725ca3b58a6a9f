"""Whether a data folder is a copy of another one that still exists, with whose stores it must not mix.

Input: a data folder, the record in it, and the stores outside of it. Output: its record from now on, or an
error. A record has an id and the path that the folder had; a copy finds that path taken by a folder of the
same record. Two ledgers over one remote index would each delete what only the other knows, so such a copy is
refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.errors import ConfigurationError

__all__ = ["FolderRecord", "current_record"]

FolderRecord = Mapping[str, str]
"""`id` of a data folder and the `path` that it had when it was last used."""


def current_record(
    data_dir: Path,
    recorded: FolderRecord | None,
    record_of: Callable[[Path], FolderRecord | None],
    shared: Mapping[str, str],
) -> FolderRecord:
    """The record of a folder under its present path; a new one for a new folder or a copy.

    `record_of` reads the record of another folder. `shared`: settings with their values that name stores
    outside of the folder, which its copy uses too. Raises ConfigurationError for a copy that has such stores.
    """
    here = str(data_dir.resolve())
    if recorded is None:
        return {"id": uuid.uuid4().hex, "path": here}
    original = Path(recorded["path"])
    if str(original) == here or record_of(original) != recorded or original.samefile(data_dir):
        return {**recorded, "path": here}
    if shared:
        stores = ", ".join(f"{name}={value}" for name, value in shared.items())
        raise ConfigurationError(
            f"{data_dir} is a copy of {original}, and both would write to the same stores ({stores}) with "
            "ledgers that do not know each other. Use the original; or make a copy with separate stores by "
            "`medkg backup` and `medkg restore`; or, if the original is to be given up, move it away first."
        )
    return {"id": uuid.uuid4().hex, "path": here}
