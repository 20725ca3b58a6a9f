"""Every dependency has its line in docs/dependencies.md."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_dependency_of_pyproject_has_a_line_with_its_purpose_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for e in project["optional-dependencies"].values() for r in e),
    ]
    names = {re.split(r"[\[<>=!~ ]", requirement)[0] for requirement in requirements} - {"medkg"}
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    documented = {name: row for row in rows for name in re.split(r"[, ]+", row[0])}
    assert names - set(documented) == set()
    assert all(len(documented[name]) >= 4 and documented[name][1] and documented[name][-1] for name in names)
