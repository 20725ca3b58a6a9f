"""Documents for stages, and a sleep that returns at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from orchestration.records import StageContext
from tests.orchestration.resilience.fake_sleep import FakeSleep

Items = Sequence[tuple[StageContext, Any]]


@pytest.fixture
def sleep() -> FakeSleep:
    return FakeSleep()


@pytest.fixture
def documents() -> Callable[..., Items]:
    """documents("a", "b"): one context per value, with the ids d0, d1 ..."""

    def make(*values: Any) -> Items:
        return [
            (
                StageContext(
                    tenant_id="default",
                    job_id="job",
                    doc_id=f"d{number}",
                    correlation_id="correlation",
                    metadata={"source": "files"},
                    pipeline_name="auto",
                    pipeline_version="2026-11-23",
                ),
                value,
            )
            for number, value in enumerate(values)
        ]

    return make


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
