"""A vocabulary is added and replaced whole, whatever happens to the process that adds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.errors import StoreCorruptError, UsageError, VocabularyUnreadableError
from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.names import name_keys
from tests.orchestration.vocabularies.builders import FRUITS, a_folder, a_table

ADD = """
import sys
from pathlib import Path
from orchestration.vocabularies import folder
{before}
about = folder.VocabularyFolder(Path(sys.argv[1])).add(Path(sys.argv[2]), name="fruits")
print(about.concepts)
"""
STOPPED_BEFORE_THE_RENAME = """
import os, signal
def replace(self, target):
    print("written", flush=True)
    signal.pause()
Path.replace = replace
"""


def adding(folder: Path, file: Path, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ADD.format(before=before), str(folder), str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."})


def test_names_are_found_by_any_spelling(tmp_path: Path) -> None:
    index = a_folder(tmp_path).open("fruits")
    for written in ("apple disease", "Disease, Apple", "MALUS DISORDERS", "apple-sickness"):
        assert {name.curie for name in index.named([name_keys(written)])} == {"MESH:D1"}
    assert [name.curie for name in index.named([name_keys("FK506")])] == ["MESH:D3"]
    assert index.named([name_keys("plum disease")]) == []
    assert index.named([]) == []


def test_a_concept_has_its_parents_and_those_below_it(tmp_path: Path) -> None:
    index = a_folder(tmp_path).open("fruits")
    concept = index.concept("MESH:D1")
    assert concept is not None and concept.parents == ("MESH:D9",)
    assert index.concept("MESH:D8") is None
    assert index.narrower("MESH:D9") == ("MESH:D1", "MESH:D2")


def test_concepts_that_are_broader_than_each_other_do_no_harm(tmp_path: Path) -> None:
    rows = [
        ("id", "name", "kinds", "parents"),
        ("MESH:D1", "a", "Drug", "MESH:D2"),
        ("MESH:D2", "b", "Drug", "MESH:D1"),
    ]
    assert a_folder(tmp_path, rows).open("fruits").narrower("MESH:D1") == ("MESH:D2",)


def test_another_file_of_the_name_replaces_the_vocabulary(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    old, shape = folder.open("fruits"), folder.shape()
    folder.add(a_table(tmp_path / "fruits.tsv", [*FRUITS, ("MESH:D4", "Plum Disease", "", "Condition", "")]))
    assert folder.open("fruits").named([name_keys("plum disease")])
    assert not old.named([name_keys("plum disease")]) and old.named([name_keys("pear disease")])
    assert folder.shape() != shape


def test_the_same_content_has_the_same_shape(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    shape, state = folder.shape(), folder.state()
    folder.add(tmp_path / "fruits.tsv")
    assert folder.shape() == shape and folder.state() != state


def test_a_wrong_file_leaves_the_present_vocabulary(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    before = folder.state()
    (tmp_path / "fruits.tsv").write_text("id\tname\nMESH:D1\n")
    with pytest.raises(VocabularyUnreadableError):
        folder.add(tmp_path / "fruits.tsv")
    assert folder.state() == before


def test_kinds_are_needed_where_the_prefix_names_none(tmp_path: Path) -> None:
    folder = VocabularyFolder(tmp_path / "vocabularies")
    with pytest.raises(UsageError, match=r"of which kind are the concepts of a, e\.g\. MESH:D1"):
        folder.add(a_table(tmp_path / "a.tsv", [("id", "name"), ("MESH:D1", "apple")]))
    folder.add(a_table(tmp_path / "b.tsv", [("id", "name"), ("MONDO:1", "apple disease")]))
    assert folder.open("b").about.kinds == {"Condition": 1}
    assert folder.names() == ["b"]


def test_a_process_that_is_killed_while_it_adds_leaves_the_old_vocabulary(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    before, shape = folder.state(), folder.shape()
    new = a_table(tmp_path / "new.tsv", FRUITS[:3])
    process = adding(tmp_path / "vocabularies", new, STOPPED_BEFORE_THE_RENAME)
    assert process.stdout is not None and process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert folder.state() == before and folder.shape() == shape
    assert folder.add(new, name="fruits").concepts == 2
    assert not list((tmp_path / "vocabularies").glob("*.unfinished"))


def test_two_processes_that_add_at_once_leave_one_whole_vocabulary(tmp_path: Path) -> None:
    many = [("id", "name", "kinds"), *((f"MESH:D{n}", f"name {n}", "Drug") for n in range(3000))]
    few = a_table(tmp_path / "few.tsv", many[:1001])
    all_of_them = a_table(tmp_path / "all.tsv", many)
    processes = [adding(tmp_path / "vocabularies", file) for file in (few, all_of_them, few)]
    assert [process.communicate()[0] for process in processes] == ["1000\n", "3000\n", "1000\n"]
    index = VocabularyFolder(tmp_path / "vocabularies").open("fruits")
    assert index.check() == [] and index.about.concepts in (1000, 3000)


def test_a_removed_vocabulary_is_gone_and_its_readers_are_not(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    index = folder.open("fruits")
    folder.remove("fruits")
    assert folder.names() == [] and folder.state() == ()
    assert index.named([name_keys("apple disease")])
    with pytest.raises(UsageError, match="no vocabulary is called 'fruits'; there are: none"):
        folder.open("fruits")


def test_a_damaged_index_is_named_with_the_next_step(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    path = tmp_path / "vocabularies" / "fruits.sqlite"
    content = bytearray(path.read_bytes())
    place = content.find(b"Malus")
    content[place : place + 5] = b"Molus"
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match=r"another checksum.*medkg vocabulary add FILE --name fruits"):
        folder.open("fruits").check()
    path.write_bytes(content[:5000])
    with pytest.raises(StoreCorruptError, match="'fruits' cannot be used"):
        folder.open("fruits").check()
    path.write_bytes(b"no database")
    with pytest.raises(StoreCorruptError, match="'fruits' cannot be used"):
        folder.open("fruits")


def test_doubtful_content_is_listed(tmp_path: Path) -> None:
    rows = [
        ("id", "name", "kinds", "parents"),
        ("XYZ:1", "apples", "Drug", "XYZ:9"),
        ("XYZ:2", "apple", "Drug", ""),
        ("XYZ:3", "?!", "Drug", ""),
    ]
    findings = {finding.what: finding.examples for finding in a_folder(tmp_path, rows).open("fruits").check()}
    assert findings == {
        "names that several concepts have": ["apple"],
        "concepts whose broader concept is not in the file": ["XYZ:1"],
        "concepts without a name of letters or digits": ["XYZ:3"],
        "prefixes that the Biolink model does not name": ["XYZ"],
    }


@pytest.mark.parametrize("name", ["", "Fruits", "../fruits", ".fruits", "a" * 41])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a vocabulary cannot be called"):
        a_folder(tmp_path).add(tmp_path / "fruits.tsv", name=name or " ")
