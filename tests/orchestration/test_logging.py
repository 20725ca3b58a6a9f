"""Log lines go where stderr is at that moment, and fail nothing."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from pathlib import Path

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
