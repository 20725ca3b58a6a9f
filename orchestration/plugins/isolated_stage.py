"""Makes the stage that a worker process runs; with few imports, since every such process pays for them.

Comes in: a stage's entry point and its configuration. Leaves: the stage, with the installed parsers if it
takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.contracts import Parser
from orchestration.plugins.entry_points import load_plugins

__all__ = ["installed_parsers", "isolated_stage"]


def installed_parsers() -> dict[str, Parser]:
    """Every installed parser by format."""
    return {name: parser() for name, parser in load_plugins("medkg.parsers").items()}


def isolated_stage(implementation: str, config: Mapping[str, Any]) -> Any:
    """The stage of that name: from `from_parsers` where its class has it, else from its configuration."""
    kind: Any = load_plugins("medkg.stages", only=implementation)[implementation]
    if hasattr(kind, "from_parsers"):
        return kind.from_parsers(config, installed_parsers())
    return kind(**config)
