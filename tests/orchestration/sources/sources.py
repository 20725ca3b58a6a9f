"""Sources of web services as assembly makes them, in front of a server that plays the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.assembly import Assembly
from orchestration.settings import load_settings

POLICY = """{{
    max_attempts: 6, backoff_strategy: {{kind: none}}, timeout_seconds: 10,
    rate_limit_config: {{requests_per_second: {rate}, burst: {burst}}}}}"""

POLICIES = """
policies:
  default: {{max_attempts: 4}}
  gpu-bound: {{max_attempts: 2}}
  polite-api: {policy}
  ncbi-api: {policy}
"""


@contextmanager
def assembled(folder: Path, rate: int | None = None, **settings: Any) -> Iterator[Assembly]:
    """The parts of a data folder below `folder`; policies as those that ship, but for waits.

    Without a `rate`, requests come as fast as they are answered.
    """
    topologies = folder / "topologies"
    topologies.mkdir(parents=True, exist_ok=True)
    (topologies / "resilience.yaml").write_text(
        POLICIES.format(policy=POLICY.format(rate=rate or 100, burst=1 if rate else 100))
    )
    assembly = Assembly(
        load_settings(data_dir=folder / "data", topologies_dir=topologies, unavailable_seconds=5, **settings)
    )
    try:
        yield assembly
    finally:
        assembly.close()
