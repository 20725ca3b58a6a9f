"""The authored gold: it is sound, and extractors stay above their floors on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cases.registry import measured
from benchmarks.data.gold import ABSTRACTS, GOLD, write_gold_of_records
from orchestration.assembly import Assembly
from orchestration.contracts import SourceRequest
from orchestration.extraction.gold import read_gold
from orchestration.records import Document
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg

FLOORS = json.loads((GOLD / "floors.json").read_text())


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gold of the records, as they are parsed now."""
    folder = tmp_path_factory.mktemp("gold")
    with Assembly(load_settings(data_dir=folder / "data")).reader() as reader:

        def read(path: Path) -> Document:
            (document,) = reader.read(SourceRequest(plugin="files", paths=(str(path),)))
            assert isinstance(document, Document), document
            return document

        write_gold_of_records(folder / "records.jsonl", read)
    return folder / "records.jsonl"


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    return Medkg(tmp_path / "data")


def floors(name: str) -> list[str]:
    return [option for floor in FLOORS[name] for option in ("--floor", floor)]


def test_no_document_of_the_gold_is_left_out(records: Path) -> None:
    gold = read_gold([ABSTRACTS, records])
    assert gold.faults == []
    assert len(gold.documents) == 10 + len(json.loads((GOLD / "records.json").read_text()))


def test_the_encoder_and_the_linker_stay_above_their_floors(medkg: Medkg) -> None:
    value = medkg("eval-extract", "--gold", str(ABSTRACTS), "--extractors", "encoder", *floors("abstracts"))
    assert value["extractors"]["encoder"]["failed"] == []
    assert all(floor["met"] for floor in value["floors"])


def test_the_registry_extractor_stays_above_its_floors(medkg: Medkg, records: Path) -> None:
    value = medkg("eval-extract", "--gold", str(records), "--extractors", "registry", *floors("records"))
    assert value["gold"]["excluded"] == []
    assert value["extractors"]["registry"]["grounded"] == 1.0
    assert all(floor["met"] for floor in value["floors"])


def test_counts_and_a_sample_of_what_stands_in_records(tmp_path: Path) -> None:
    assembly = Assembly(load_settings(data_dir=tmp_path / "data"))
    figures = measured(assembly, GOLD / "records", 5, 21)
    entries = json.loads((GOLD / "records.json").read_text())
    assert (figures["unread"], figures["wrong_spans"], figures["dropped"]) == ([], [], {"all": 0})
    assert sum(figures["documents"].values()) == len(entries)
    assert figures["kinds"]["all"] == sum(len(entry["mentions"]) for entry in entries)
    assert figures["predicates"]["all"] == sum(len(entry["relations"]) for entry in entries)
    assert len(figures["sample"]) == 5
    assert figures["sample"] == measured(assembly, GOLD / "records", 5, 21)["sample"]
