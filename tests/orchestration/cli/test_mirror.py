"""`--mirror`: what is gone is removed after it was said; never what a listing that failed does not name."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import an_abstract, json_lines
from tests.orchestration.command_line import Medkg


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# Gone\n\nvanishing quokka\n")
    (folder / "sub" / "b.md").write_text("# Stay\n\nstaying numbat\n")
    (folder / "x.jsonl").write_bytes(json_lines([an_abstract("1"), an_abstract("2")]))
    return folder


def submit(medkg: Medkg, folder: Path, *options: str, expect: int = 0) -> Any:
    return medkg("submit", "auto", "--path", str(folder), *options, expect=expect)


def titles(medkg: Medkg) -> set[str]:
    return {Path(row["doc_id"].partition("~")[0]).name for row in medkg("docs", "list")["documents"]}


def test_what_is_gone_is_removed_and_counted(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "a.md").unlink()
    (folder / "x.jsonl").write_bytes(json_lines([an_abstract("2")]))
    answer = submit(medkg, folder, "--mirror", "--yes")
    assert answer["removed"] == 2
    assert answer["mirror"] == {"gone": 2, "removed": 2, "kept_because": []}
    assert titles(medkg) == {"b.md", "2"}
    assert medkg("jobs", "list")["jobs"][0]["removed"] == 2
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 0


def test_nothing_is_removed_without_consent(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "a.md").unlink()
    answer = submit(medkg, folder, "--mirror", expect=1)
    assert answer["mirror"]["gone"] == 1
    assert answer["removed"] == 0
    assert titles(medkg) == {"a.md", "b.md", "1", "2"}


def test_without_mirror_nothing_is_removed(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "a.md").unlink()
    assert "removed" not in submit(medkg, folder, "--resync")
    assert "a.md" in titles(medkg)


def test_an_empty_folder_may_be_an_unmounted_one_and_removes_nothing(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    shutil.rmtree(folder)
    assert "no such" in submit(medkg, folder, "--mirror", "--yes", expect=2)["error"]["message"]
    folder.mkdir()
    answer = submit(medkg, folder, "--mirror", "--yes", expect=1)
    assert answer["removed"] == 0
    assert "docs delete --origin" in answer["mirror"]["kept_because"][0]
    assert len(titles(medkg)) == 4
    assert len(medkg("docs", "delete", "--origin", str(folder), "--yes")["deleted"]) == 4


def test_what_cannot_be_read_counts_as_still_there(
    medkg: Medkg, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(medkg, folder)
    listdir = os.listdir

    def refused(path: Path) -> list[str]:  # root reads every folder, whatever its mode
        if Path(path) == folder / "sub":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    answer = submit(medkg, folder, "--mirror", "--yes", expect=1)
    assert answer["removed"] == 0


def test_a_file_that_broke_keeps_its_documents(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "x.jsonl").write_bytes(b"")
    answer = submit(medkg, folder, "--mirror", "--yes", expect=1)
    assert answer["removed"] == 0
    assert answer["mirror"]["kept_because"] == ["2 places could not be read"]
    assert {"1", "2"} <= titles(medkg)


def test_other_folders_are_left_alone(medkg: Medkg, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "in2"
    other.mkdir()
    (other / "c.md").write_text("# Other\n")
    submit(medkg, folder)
    submit(medkg, other)
    (folder / "a.md").unlink()
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 1
    assert "c.md" in titles(medkg)


def test_a_limit_and_a_mirror_exclude_each_other(medkg: Medkg, folder: Path) -> None:
    error = submit(medkg, folder, "--mirror", "--limit", "5", expect=2)["error"]
    assert "--limit" in error["message"]


def test_a_moved_folder_has_no_second_copy_and_a_mirror_of_it_removes_nothing(
    medkg: Medkg, folder: Path, tmp_path: Path
) -> None:
    submit(medkg, folder)
    before = {row["doc_id"] for row in medkg("docs", "list")["documents"]}
    folder.rename(tmp_path / "moved")
    answer = submit(medkg, tmp_path / "moved", "--mirror", "--yes")
    assert (answer["documents"]["in"], answer["removed"]) == (4, 0)
    assert {row["doc_id"] for row in medkg("docs", "list")["documents"]} == before
    assert len(medkg("docs", "list", "--origin", str(tmp_path / "moved"))["documents"]) == 4
    assert medkg("docs", "list", "--origin", str(folder))["documents"] == []


def test_a_renamed_file_is_the_same_document(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "a.md").rename(folder / "z.md")
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 0
    assert titles(medkg) == {"a.md", "b.md", "1", "2"}
    assert len(medkg("docs", "list", "--origin", str(folder / "z.md"))["documents"]) == 1


@pytest.fixture
def link(folder: Path, tmp_path: Path) -> Path:
    link = tmp_path / "link"
    link.symlink_to(folder)
    return link


def test_a_file_that_was_also_listed_through_a_link_is_removed(
    medkg: Medkg, folder: Path, link: Path
) -> None:
    submit(medkg, folder)
    submit(medkg, link)
    (folder / "sub" / "b.md").unlink()
    (folder / "x.jsonl").write_bytes(json_lines([an_abstract("2")]))
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 2
    assert titles(medkg) == {"a.md", "2"}
    assert len(medkg("docs", "list", "--origin", str(link))["documents"]) == 2


@pytest.mark.parametrize("first_through_link", [True, False])
def test_a_mirror_finds_what_was_listed_under_the_other_name_alone(
    medkg: Medkg, folder: Path, link: Path, first_through_link: bool
) -> None:
    names = [link, folder] if first_through_link else [folder, link]
    submit(medkg, names[0])
    (folder / "sub" / "b.md").unlink()
    answer = submit(medkg, names[1], "--mirror", "--yes")
    assert (answer["removed"], answer["mirror"]["kept_because"]) == (1, [])
    assert titles(medkg) == {"a.md", "1", "2"}
    assert submit(medkg, names[0], "--mirror", "--yes")["removed"] == 0
    assert titles(medkg) == {"a.md", "1", "2"}


def test_a_link_that_leads_into_or_above_the_folder_is_followed(
    medkg: Medkg, folder: Path, tmp_path: Path
) -> None:
    above, inner = tmp_path / "above", tmp_path / "inner"
    above.symlink_to(tmp_path)
    inner.symlink_to(folder / "sub")
    submit(medkg, above / "in")
    submit(medkg, inner)
    (folder / "sub" / "b.md").unlink()
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 1
    assert titles(medkg) == {"a.md", "1", "2"}


def test_a_copy_outside_keeps_its_document_whatever_links_there_are(
    medkg: Medkg, folder: Path, link: Path, tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    shutil.copytree(folder, copies)
    for path in (folder, link, copies):
        submit(medkg, path)
    (folder / "a.md").unlink()
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 0
    assert titles(medkg) == {"a.md", "b.md", "1", "2"}
    for gone in (folder, link):
        assert medkg("docs", "list", "--origin", str(gone / "a.md"))["documents"] == []
    assert len(medkg("docs", "list", "--origin", str(copies / "a.md"))["documents"]) == 1


def test_a_link_inside_the_folder_is_a_name_of_its_files_that_is_listed(medkg: Medkg, folder: Path) -> None:
    submit(medkg, folder)
    (folder / "another").symlink_to(folder / "sub")  # listed first, so the folder `sub` is a repetition
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 0
    assert titles(medkg) == {"a.md", "b.md", "1", "2"}


def test_what_cannot_be_read_is_still_there_under_its_other_names(
    medkg: Medkg, folder: Path, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(medkg, link)
    listdir = os.listdir

    def refused(path: Path) -> list[str]:
        if Path(path) == folder / "sub":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    assert submit(medkg, folder, "--mirror", "--yes")["removed"] == 0
    assert titles(medkg) == {"a.md", "b.md", "1", "2", "sub"}  # the last is the folder's failure


def test_a_file_that_changed_is_one_document_under_both_names(medkg: Medkg, folder: Path, link: Path) -> None:
    submit(medkg, folder)
    submit(medkg, link)
    (folder / "a.md").write_text("# Changed\n\nrunning numbat\n")
    submit(medkg, folder)
    assert len(medkg("docs", "list")["documents"]) == 4
    submit(medkg, link)
    assert len(medkg("docs", "list")["documents"]) == 4
