"""The authored gold of extraction: benchmarks/gold, abstracts and records, all written for medkg.

Input: a folder to write to. Output: files for `medkg eval-extract --gold`; abstracts are PubTator text.
Mentions of records are quotes with what stands before them (the text quotes of W3C annotations), which are
found in the record as it is parsed now; a quote that is not there exactly once raises ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from orchestration.records import Document

__all__ = ["ABSTRACTS", "GOLD", "write_gold_of_records"]

GOLD: Final = Path(__file__).resolve().parents[1] / "gold"
ABSTRACTS: Final = GOLD / "abstracts.PubTator.txt"
RECORDS: Final = GOLD / "records.json"


def write_gold_of_records(out: Path, read: Callable[[Path], Document]) -> None:
    """Write JSON Lines with the gold of the records; `read` parses a file of one record."""
    entries: list[dict[str, Any]] = json.loads(RECORDS.read_text(encoding="utf-8"))
    lines = [_line(entry, GOLD / entry["record"], read(GOLD / entry["record"])) for entry in entries]
    out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _line(entry: Mapping[str, Any], record: Path, document: Document) -> dict[str, Any]:
    return {
        "doc_id": document.doc_id,
        "text": document.text,
        "record": str(record),
        "mentions": [_mention(each, document) for each in entry["mentions"]],
        "relations": entry["relations"],
    }


def _mention(quoted: Mapping[str, Any], document: Document) -> dict[str, Any]:
    exact, quote = quoted["exact"], quoted["before"] + quoted["exact"]
    count = document.text.count(quote)
    if count != 1:
        raise ValueError(f"{document.doc_id}: {quote!r} stands {count} times in the text, not once")
    end = document.text.index(quote) + len(quote)
    return {
        "id": quoted["id"],
        "kind": quoted["kind"],
        "start": end - len(exact),
        "end": end,
        "text": exact,
        "concepts": quoted["concepts"],
    }
