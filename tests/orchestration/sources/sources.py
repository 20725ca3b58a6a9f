"""Sources of web services as assembly makes them, in front of a server that plays the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.assembly import Assembly
from orchestration.settings import load_settings

QUICK = """{
    max_attempts: 6, backoff_strategy: {kind: none}, timeout_seconds: 10,
    rate_limit_config: {requests_per_second: 100, burst: 100}}"""

POLICIES = f"""
policies:
  default: {{max_attempts: 4}}
  gpu-bound: {{max_attempts: 2}}
  polite-api: {QUICK}
  ncbi-api: {QUICK}
"""
"""As those that ship, but for waits: tests have no need of restraint towards themselves."""


@contextmanager
def assembled(folder: Path, **settings: Any) -> Iterator[Assembly]:
    """The parts of a data folder below `folder`, with quick policies."""
    topologies = folder / "topologies"
    topologies.mkdir(parents=True, exist_ok=True)
    (topologies / "resilience.yaml").write_text(POLICIES)
    assembly = Assembly(
        load_settings(data_dir=folder / "data", topologies_dir=topologies, unavailable_seconds=5, **settings)
    )
    try:
        yield assembly
    finally:
        assembly.close()
