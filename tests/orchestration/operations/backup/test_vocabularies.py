"""Vocabularies in copies: a restored folder has them, and an import names those that its folder lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts import DocumentCounts
from orchestration.errors import CopyUnusableError
from orchestration.operations.backup.backing_up import back_up
from orchestration.operations.backup.exporting import export_tenant
from orchestration.operations.backup.importing import import_tenant
from orchestration.operations.backup.restoring import restore
from tests.orchestration.command_line import Medkg
from tests.orchestration.operations.backup.copies import unwatched
from tests.orchestration.runs.window_folder import TRIALS, WindowFolder, opened
from tests.orchestration.vocabularies.builders import FRUITS, a_table

ALL = len(TRIALS)


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[WindowFolder]:
    """Trials of a condition that a vocabulary knows."""
    with opened(tmp_path / "here") as folder:
        folder.write_trials(*TRIALS, condition="Malus disorder")
        folder.assembly.vocabularies.add(a_table(tmp_path / "fruits.tsv"))
        folder.run()
        assert concepts(folder) == {"MESH:D1"}
        yield folder


@pytest.fixture
def other(tmp_path: Path) -> Iterator[WindowFolder]:
    """The same trials beside an empty data folder."""
    with opened(tmp_path / "other") as folder:
        folder.write_trials(*TRIALS, condition="Malus disorder")
        yield folder


def concepts(folder: WindowFolder) -> set[str]:
    """Concepts of the conditions that the trials study."""
    statements = folder.assembly.ledger.graph.statements(folder.settings.tenant, predicate="studies")
    return {each.object_concept for each in statements}


def test_a_restored_folder_has_the_vocabularies_and_extracts_nothing_again(
    windows: WindowFolder, other: WindowFolder, tmp_path: Path
) -> None:
    manifest = back_up(windows.assembly, tmp_path / "backup", unwatched)
    assert list(manifest.vocabularies) == ["fruits"]
    restore(other.assembly, tmp_path / "backup", unwatched)
    other.reopen()
    assert other.assembly.vocabularies.shape() == windows.assembly.vocabularies.shape()
    assert other.run().documents == DocumentCounts(total=ALL, skipped=ALL)
    assert (other.extracted, concepts(other), other.differences()) == (0, {"MESH:D1"}, [])


def test_a_backup_whose_vocabulary_is_damaged_is_refused(
    windows: WindowFolder, other: WindowFolder, tmp_path: Path
) -> None:
    back_up(windows.assembly, tmp_path / "backup", unwatched)
    path = tmp_path / "backup" / "vocabularies" / "fruits.sqlite"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CopyUnusableError, match=r"fruits\.sqlite"):
        restore(other.assembly, tmp_path / "backup", unwatched)
    assert other.assembly.vocabularies.names() == []


def test_an_interrupted_backup_with_vocabularies_is_made_again(windows: WindowFolder, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(windows.assembly, folder, unwatched)
    (folder / "manifest.json").unlink()
    (folder / "vocabularies" / "old.sqlite.partial").write_bytes(b"half")
    assert len(back_up(windows.assembly, folder, unwatched).vocabularies) == 1
    assert [path.name for path in (folder / "vocabularies").iterdir()] == ["fruits.sqlite"]


def test_an_import_names_vocabularies_that_differ_and_keeps_the_links_until_the_next_run(
    windows: WindowFolder, other: WindowFolder, tmp_path: Path
) -> None:
    export_tenant(windows.assembly, tmp_path / "export", unwatched)
    assert not (tmp_path / "export" / "vocabularies").exists()

    def take() -> dict[str, str]:
        done = import_tenant(other.assembly, tmp_path / "export", unwatched, replace=False, other_models=True)
        return dict(done.vocabularies)

    assert take() == {"fruits": "missing"}
    assert concepts(other) == {"MESH:D1"}
    other.assembly.vocabularies.add(a_table(tmp_path / "fruits.tsv", FRUITS[:3]))
    other.assembly.vocabularies.add(a_table(tmp_path / "more.tsv"))
    assert take() == {"fruits": "other", "more": "more"}
    other.assembly.vocabularies.remove("more")
    other.assembly.vocabularies.add(a_table(tmp_path / "fruits.tsv"))
    assert take() == {}
    other.reopen()
    assert other.run().documents == DocumentCounts(total=ALL, skipped=ALL)


def test_the_commands_list_vocabularies(windows: WindowFolder, tmp_path: Path) -> None:
    medkg = Medkg(windows.settings.data_dir, windows.settings.tenant)
    assert medkg("backup", str(tmp_path / "backup"))["vocabularies"] == ["fruits"]
    medkg("export", str(tmp_path / "export"))
    empty = Medkg(tmp_path / "empty")
    shown = " ".join(empty.text("import", str(tmp_path / "export"), "--other-models").split())
    assert "Vocabularies differ from the export's: fruits (missing)." in shown
