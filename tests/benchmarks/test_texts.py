"""What is measured on leaves out what a run would refuse, and counts nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.data.texts import texts_of

DEMO = Path(__file__).parents[2] / "demo" / "corpus"


def test_whole_documents_or_their_sections_are_texts_and_broken_ones_left_out(tmp_path: Path) -> None:
    record = {
        "pmid": "1",
        "sections": [{"label": "AIM", "text": "To walk."}, {"label": "RESULT", "text": "So."}],
    }
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(record)}\n{{broken\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Rest was enough.", encoding="utf-8")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00 no text")

    assert list(texts_of(tmp_path, lambda text: True)) == [
        "AIM\n\nTo walk.\n\nRESULT\n\nSo.",
        "Rest was enough.",
    ]
    assert list(texts_of(tmp_path, lambda text: len(text) < 17)) == [
        "AIM\n\nTo walk.",
        "RESULT\n\nSo.",
        "Rest was enough.",
    ]


def test_the_demo_corpus_which_bench_takes_by_default_can_be_measured_on() -> None:
    assert len(list(texts_of(DEMO, lambda text: len(text) < 2_000))) > 100
