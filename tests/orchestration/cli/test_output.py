"""What people see of long texts: one line of a bounded width, whole in --json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from medkg.testing.builders import an_abstract, json_lines
from orchestration.cli import documents as documents_command
from orchestration.cli.output import WIDTH, shortened
from orchestration.records import Document
from tests.orchestration.command_line import Medkg


def test_a_text_is_cut_to_one_line_of_the_width() -> None:
    assert shortened(None) is None
    assert shortened("two\nlines") == "two lines"
    assert shortened("x" * WIDTH) == "x" * WIDTH
    for long in ("x" * (WIDTH + 1), "x" * 220_000, "x" + " " * 220_000 + "y"):
        cut = shortened(long)
        assert cut is not None
        assert cut.endswith(" ...")
        assert len(cut) <= WIDTH


def test_lists_cut_long_ids_for_people_and_have_them_whole_in_json(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    long = "0123456789" * 30
    abstracts = tmp_path / "abstracts.jsonl"
    abstracts.write_bytes(json_lines([an_abstract(long)]))
    medkg("submit", "auto", "--path", str(abstracts))
    assert [row["doc_id"] for row in medkg("docs", "list")["documents"]] == [long]
    shown = "".join(medkg.text("docs", "list").split())
    assert long[: WIDTH - 10] in shown
    assert long[: WIDTH + 10] not in shown


def test_a_document_is_shown_with_what_its_parser_could_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(record=True, width=200)
    monkeypatch.setattr(documents_command, "console", console)
    document = Document.model_construct(title="t" * 220_000, text="words")
    value: dict[str, Any] = {
        "source": "files",
        "doc_id": "1",
        "status": "committed",
        "pipeline": "auto",
        "version": "v1",
        "deleted_at_source": None,
        "places": [],
        "chunks": [],
        "metadata": {"unread_pages": [3, 4], "unmapped_characters": 0, "other": 1},
    }
    documents_command._show_document(document, value)
    shown = console.export_text()
    assert "unread_pages: [3, 4]" in shown
    assert "unmapped_characters" not in shown
    assert len(shown) < 3_000
