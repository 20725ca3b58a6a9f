"""Log lines go where stderr is at that moment, and fail nothing."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from orchestration.known_secrets import known_secrets
from orchestration.logging import configure_logging, redacted
from orchestration.settings import load_settings
from orchestration.tracing import continued


def test_a_line_is_written_to_the_stderr_of_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    configure_logging("info")
    log = structlog.get_logger("test")
    log.info("one")
    first.close()
    monkeypatch.setattr(sys, "stderr", second)
    log.info("two")
    assert json.loads(second.getvalue())["event"] == "two"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_line_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, full = io.StringIO(), Path("/dev/full").open("w", buffering=1, encoding="utf-8")  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", full)
    configure_logging("info")
    structlog.get_logger("test").info("lost")
    with pytest.raises(OSError, match="No space left"):
        full.flush()
    monkeypatch.setattr(sys, "stderr", sound)
    structlog.get_logger("test").info("written")
    with suppress(OSError):
        full.close()
    assert json.loads(sound.getvalue())["event"] == "written"


# --- shape and secrets ------------------------------------------------------------------------------


def _line(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object], **options: Any) -> dict[str, Any]:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logging("info", **options)
    write()
    fields: dict[str, Any] = json.loads(stderr.getvalue())
    return fields


def test_a_line_has_the_documented_fields_first_and_the_trace_of_its_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write() -> None:
        with (
            continued("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            bound_contextvars(tenant="t", job="j", document="d", correlation="c"),
        ):
            structlog.get_logger("a.module").info("stage", window="w", chunks=3)

    fields = _line(monkeypatch, write, process="window-worker")
    assert list(fields) == [
        *("timestamp", "level", "event", "process", "logger", "trace_id", "span_id"),
        *("tenant", "job", "window", "document", "correlation", "chunks"),
    ]
    assert fields["timestamp"].endswith("Z")
    assert fields["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (fields["process"], fields["logger"]) == ("window-worker", "a.module")


def test_lines_of_libraries_have_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = _line(monkeypatch, lambda: logging.getLogger("opensearch").warning("%s is slow", "shard 1"))
    assert list(fields) == ["timestamp", "level", "event", "process", "logger"]
    assert (fields["event"], fields["logger"]) == ("shard 1 is slow", "opensearch")


def test_an_info_line_of_a_client_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logging("info")
    logging.getLogger("httpx").info("GET https://x/?api_key=k")
    assert stderr.getvalue() == ""


def test_known_secrets_are_blotted_out_also_of_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        try:
            raise ValueError('refused: pass"word and plain-key')
        except ValueError:
            structlog.get_logger("test").exception("failed")

    fields = _line(monkeypatch, write, secrets=('pass"word', "plain-key"))
    assert "ValueError: refused: *** and ***" in fields["exception"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bolt://neo4j:secret@host:7687 does not answer", "bolt://***@host:7687 does not answer"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        (
            "https://x/works?search=a&api_key=abc&per_page=2",
            "https://x/works?search=a&api_key=***&per_page=2",
        ),
        ("http://host:9/path, 12:30@noon", "http://host:9/path, 12:30@noon"),
        ("no bearer of news", "no bearer of news"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_secrets_of_settings_are_keys_tokens_and_passwords() -> None:
    settings = load_settings(
        opensearch_url="http://ann:p%40ssword@host:9200",
        ncbi_api_key="ncbi-key",
        events_webhook="https://hooks.example.org/services/T0123456789abcdef",
    )
    assert known_secrets(settings) == ("T0123456789abcdef", "ncbi-key", "p%40ssword", "p@ssword")
