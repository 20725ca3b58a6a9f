"""Each folder of tests is a package, so that fixtures of scope "package" end with their folder."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent


def test_each_folder_of_tests_is_a_package() -> None:
    folders = {module.parent for module in TESTS.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
