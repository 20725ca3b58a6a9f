"""Log lines go where stderr is at that moment."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog

from orchestration.logging import configure_logging


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
