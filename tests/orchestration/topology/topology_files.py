"""Topologies as text, written into a folder of the test."""

from __future__ import annotations

from pathlib import Path

from orchestration.topology.loader import PipelineLoader, TopologyProblem

INSTALLED = (
    "ingest",
    "download",
    "pdf-ir",
    "parse",
    "ir-validation",
    "chunk",
    "embed",
    "index",
    "extract",
    "kg",
)
POLICIES = ("default", "gpu-bound", "polite-api")


class Folder:
    """A folder of topologies with its loader, and what the loader has reported."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reports: list[TopologyProblem] = []
        self.policies: tuple[str, ...] = POLICIES
        self.loader = PipelineLoader(path, lambda: INSTALLED, lambda: self.policies, self.reports.append)

    def write(self, text: str, name: str = "auto", version: str | None = None) -> Path:
        folder = self.path / "versions" / version if version else self.path
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path


def a_topology(stages: str = "", head: str = "", gates: str = "") -> str:
    """A small valid topology; `stages` replaces its steps. The stages begin on line 5."""
    return f"""\
name: auto
version: 2026-11-23
description: For tests.{head}
stages:
{stages or LINE}{gates}"""


PDF_LINE = """\
  - {name: ingest, type: ingest}
  - {name: pdf_ir, type: pdf-ir, takes_from: ingest}
  - {name: parse, type: parse, takes_from: pdf_ir}
  - {name: chunk, type: chunk, takes_from: parse}
  - {name: embed, type: embed, takes_from: chunk, policy: gpu-bound}
  - {name: index, type: index, takes_from: embed}
"""

LINE = """\
  - {name: ingest, type: ingest}
  - {name: parse, type: parse, takes_from: ingest}
  - {name: chunk, type: chunk, takes_from: parse}
  - {name: embed, type: embed, takes_from: chunk, policy: gpu-bound}
  - {name: index, type: index, takes_from: embed}
"""
