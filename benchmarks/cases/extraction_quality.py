"""What extractors find in the authored gold, and how long they take.

The registry extractor is measured on records, all others on abstracts. For gold of another kind and size:
`medkg eval-extract --gold FILE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestration.assembly import Assembly
from orchestration.contracts import SourceRequest
from orchestration.operations.eval_extract import ExtractionQuestions, eval_extract
from orchestration.records import Document
from orchestration.settings import load_settings

from ..bench import Bench
from ..data.gold import ABSTRACTS, write_gold_of_records

__all__ = ["figures_of", "measure"]

REGISTRY: Final = "registry"
ENCODER: Final = "encoder"
MEASURES: Final = (
    "mentions",
    "mentions_overlap",
    "links",
    "relations",
    "aligned_relations",
    "gold_relations",
)


def measure(bench: Bench) -> dict[str, Any]:
    """F1 per measure, documents and seconds, by extractor."""
    assembly = Assembly(load_settings(data_dir=bench.folder / "extraction", profile=bench.profile.name))
    try:
        records = bench.folder / "records.jsonl"
        _write(assembly, records)
        figures = {REGISTRY: figures_of(assembly, REGISTRY, records)}
        if ENCODER in assembly.extractors:
            figures[ENCODER] = figures_of(assembly, ENCODER, ABSTRACTS)
        return figures
    finally:
        assembly.close()


def figures_of(assembly: Assembly, extractor: str, gold: Path) -> dict[str, Any]:
    """F1 of each measure over all kinds; None where the gold or the extractor has none of it."""
    value = eval_extract(assembly, ExtractionQuestions([gold], [extractor]), lambda said: None)
    measured = value["extractors"][extractor]
    rows: Mapping[str, Any] = {
        row["measure"]: row["f1"] for row in measured["scores"] if row["kind"] == "all"
    }
    return {
        "documents": value["gold"]["documents"],
        "failed": len(measured["failed"]),
        "seconds": measured["seconds"],
        "grounded": measured["grounded"],
        **{f"{measure}_f1": rows.get(measure) for measure in MEASURES},
    }


def _write(assembly: Assembly, out: Path) -> None:
    with assembly.reader() as reader:

        def read(path: Path) -> Document:
            (document,) = reader.read(SourceRequest(plugin="files", paths=(str(path),)))
            assert isinstance(document, Document), document
            return document

        write_gold_of_records(out, read)
