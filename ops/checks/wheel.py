"""Builds the wheel, installs it into a clean environment and uses it there, outside of the checkout.

Run by `make wheel-check`. Checks which top-level names the wheel installs, then runs documents through a
topology, searches them, starts a host that works on a submitted document and serves the Dagster UI, shows the
benchmarks' help, and runs a conformance suite as a plugin author would.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Final

from tests.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
TOP_LEVEL: Final = {"orchestration", "gpu_actors", "medkg"}
"""The names that the wheel may install."""

CONFORMANCE: Final = """
import pytest

from medkg.testing.parser_suite import ParserSample, ParserSuite
from orchestration.parsing.plain_text import PlainTextParser


class TestPlainTextParser(ParserSuite):
    @pytest.fixture
    def parser(self):
        return PlainTextParser()

    @pytest.fixture
    def sample(self):
        return ParserSample("note.txt", b"Sleep and walking.\\n\\nMore sleep.")
"""


def main() -> None:
    """Exit with 1 and the reason at the first check that fails."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that builds and makes the environment"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medkg-wheel-") as name:
        folder = Path(name)
        wheel = build(options.python, folder)
        check_names(wheel)
        environment = install(options.python, wheel, folder)
        use(environment, folder)
    sys.stdout.write("the wheel installs only its own names and works outside of the checkout\n")


def build(python: str, folder: Path) -> Path:
    """The wheel, built from the checkout."""
    run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], ROOT)
    return next(folder.glob("medkg-*.whl"))


def check_names(wheel: Path) -> None:
    """Fail for a top-level name that is not medkg's, a missing topology, or a shipped test."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    if top != TOP_LEVEL:
        fail(f"the wheel installs {sorted(top)}, not {sorted(TOP_LEVEL)}")
    for needed in (
        "orchestration/topology/topologies/auto.yaml",
        "medkg/testing/parser_suite.py",
        "medkg/benchmarks/suite.py",
    ):
        if needed not in names:
            fail(f"the wheel lacks {needed}")


def install(python: str, wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel and the locked versions of what it needs."""
    environment = folder / "environment"
    run([python, "-m", "venv", str(environment)], folder)
    pip = [
        str(environment / "bin" / "pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    run(
        [
            *pip,
            "--constraint",
            str(ROOT / "constraints-cpu.txt"),
            f"medkg[minilm,testing] @ {wheel.as_uri()}",
        ],
        folder,
    )
    return environment


def use(environment: Path, folder: Path) -> None:
    """Use the installed commands and suites from an empty working directory."""
    work = folder / "work"
    (work / "documents").mkdir(parents=True)
    (work / "documents" / "note.txt").write_text("Walking after meals lowers glucose.\n", encoding="utf-8")
    medkg = [str(environment / "bin" / "medkg"), "--data-dir", str(work / "data")]
    topologies = run([*medkg, "topology", "list", "--json"], work)
    if "auto" not in topologies:
        fail(f"`medkg topology list` does not list auto: {topologies}")
    account = json.loads(run([*medkg, "run", "auto", "--path", "documents", "--json"], work))
    if account["documents"]["committed"] != 1:
        fail(f"`medkg run` did not commit its document: {account}")
    hits = json.loads(run([*medkg, "search", "glucose after walking", "--json"], work))["hits"]
    if not hits or "glucose" not in hits[0]["text"]:
        fail(f"`medkg search` did not find the document: {hits}")
    serve(medkg, work)
    run([*medkg, "bench", "--help"], work)
    python = str(environment / "bin" / "python")
    run([python, "-c", "import medkg.benchmarks.suite"], work)
    (work / "test_conformance.py").write_text(CONFORMANCE, encoding="utf-8")
    sys.stdout.write(
        run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_conformance.py"], work)
    )


def serve(medkg: list[str], work: Path) -> None:
    """Start a host, have its daemon work on a submitted document, and ask the UI for medkg's definitions."""
    (work / "more").mkdir()
    (work / "more" / "note.txt").write_text("Sleep lowers blood pressure.\n", encoding="utf-8")
    address = json.loads(run([*medkg, "up", "--json"], work))["dagster_ui"]
    try:
        run([*medkg, "submit", "auto", "--path", "more"], work)
        wait_until(
            lambda: json.loads(run([*medkg, "status", "--json"], work))["documents"].get("committed") == 2,
            log=work / "data" / "logs" / "host.log",
            poll_seconds=1,
        )
        wait_until(lambda: locations(address) == ["medkg"], poll_seconds=1)
    finally:
        run([*medkg, "down"], work)


def locations(address: str) -> list[str]:
    """The code locations that the Dagster UI has loaded without an error."""
    entry = "name locationOrLoadError { __typename }"
    query = f"{{ workspaceOrError {{ ... on Workspace {{ locationEntries {{ {entry} }} }} }} }}"
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        entries = json.load(response)["data"]["workspaceOrError"]["locationEntries"]
    return [
        entry["name"]
        for entry in entries
        if (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation"
    ]


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command; ends with its errors if it fails."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def fail(reason: str) -> None:
    """End the check."""
    sys.stderr.write(f"{reason}\n")
    raise SystemExit(1)


if __name__ == "__main__":
    main()
