"""The four operations of a data folder, as commands call them."""

from __future__ import annotations

from pathlib import Path

from orchestration.formats.last_checks import note_check
from orchestration.operations.backup.backing_up import back_up
from orchestration.operations.backup.exporting import Observe, export_tenant
from orchestration.operations.backup.folder import Manifest
from orchestration.operations.backup.importing import Imported, import_tenant
from orchestration.operations.backup.restoring import Restored, restore
from orchestration.operations.parts import Parts

__all__ = ["Copies"]


class Copies:
    """Copies of one data folder and its tenant; each call raises what its operation does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def export(self, folder: Path, observe: Observe) -> Manifest:
        """Write the tenant's documents to a folder."""
        return export_tenant(self._parts, folder, observe)

    def import_from(self, folder: Path, observe: Observe, *, replace: bool, other_models: bool) -> Imported:
        """Take an export in."""
        return import_tenant(self._parts, folder, observe, replace=replace, other_models=other_models)

    def back_up(self, folder: Path, observe: Observe) -> Manifest:
        """Write everything to a folder."""
        manifest = back_up(self._parts, folder, observe)
        note_check(self._parts.settings.data_dir, "backup", place=str(folder.absolute()))
        return manifest

    def restore(self, folder: Path, observe: Observe) -> Restored:
        """Fill the empty data folder from a backup."""
        return restore(self._parts, folder, observe)
