"""Vocabularies in copies: a backup holds their index files, an export names them with their fingerprints.

Input: the vocabularies of a data folder. Output: files of a backup, vocabularies of a restored folder, and
what an imported tenant's links were made by that this folder lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration.operations.backup.folder import VOCABULARIES, CopyFolder, Manifest

if TYPE_CHECKING:
    from orchestration.vocabularies.folder import VocabularyFolder

__all__ = ["differing_vocabularies", "restore_vocabularies", "write_vocabularies"]

SUFFIX: Final = ".sqlite"


def write_vocabularies(copy: CopyFolder, vocabularies: VocabularyFolder) -> None:
    """Add the index file of each vocabulary. Raises StoreCorruptError for one that cannot be read."""
    for name in vocabularies.names():
        with copy.file(f"{VOCABULARIES}/{name}{SUFFIX}") as (path, rows):
            rows.append(vocabularies.copy(name, path).names)


def restore_vocabularies(folder: Path, manifest: Manifest, vocabularies: VocabularyFolder) -> None:
    """Take the vocabularies of a backup whose files were checked. Idempotent."""
    for file in manifest.files:
        path = Path(file.path)
        if path.suffix == SUFFIX:
            vocabularies.take(path.stem, folder / path)


def differing_vocabularies(copied: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Vocabularies by name that differ: `missing` here, `other` here, or `more` than there were.

    The links of documents were made by those of `copied`, and `own` will make them again.
    """
    differing = {
        name: "missing" if name not in own else "other" for name in copied if own.get(name) != copied[name]
    }
    return dict(sorted({**differing, **dict.fromkeys(own.keys() - copied.keys(), "more")}.items()))
