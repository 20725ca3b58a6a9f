"""Plugins are found by entry point; broken ones name themselves; the documented one passes the suite."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medkg.testing.document_checks import sections_of
from medkg.testing.parser_suite import ParserSample, ParserSuite, documents
from orchestration.contracts import Parser, SourceRequest
from orchestration.errors import ConfigurationError
from orchestration.plugins.entry_points import load_plugins, plugin_names
from orchestration.sources.files import FilesSource

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "plugins.md"
SAMPLE = b"""TY  - JOUR
ID  - W1
TI  - Walking and sleep
AB  - Walkers slept longer.
PY  - 2020
ER  -
TY  - JOUR
ID  - W2
TI  - Walking and mood
AB  - Walkers smiled more.
ER  -
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution of one module and its entry points for the length of a test."""

    def install_distribution(name: str, module: str, code: str, group: str, **points: str) -> None:
        folder = tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()

    return install_distribution


@pytest.fixture
def ris_parser(install: Install) -> Parser:
    """The parser of docs/plugins.md, installed as a user would have it."""
    first_block = re.search(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    assert first_block is not None
    install("my_package", "my_package_ris", first_block[1], "medkg.parsers", ris="my_package_ris:RisParser")
    parser: Parser = load_plugins("medkg.parsers")["ris"]()
    return parser


class TestTheDocumentedParser(ParserSuite):
    @pytest.fixture
    def parser(self, ris_parser: Parser) -> Parser:
        return ris_parser

    @pytest.fixture
    def sample(self) -> ParserSample:
        return ParserSample("library.ris", SAMPLE, ["W1", "W2"])

    def test_gives_title_and_abstract(self, parser: Parser) -> None:
        first, _ = documents(parser, SAMPLE)
        assert first.title == "Walking and sleep"
        assert [section.role for section in sections_of(first)] == [None, "abstract"]

    def test_is_used_for_files_of_its_format(self, parser: Parser, tmp_path: Path) -> None:
        path = tmp_path / "library.ris"
        path.write_bytes(SAMPLE)
        source = FilesSource({"ris": parser}, 10_000)
        items = list(source.enumerate(SourceRequest(plugin="files", paths=(str(path),))))
        assert [(item.doc_id, item.source) for item in items] == [("W1", "references"), ("W2", "references")]


def test_a_plugin_that_cannot_be_imported_names_its_distribution(install: Install) -> None:
    install("broken", "broken_module", "import nothing_of_that_name", "medkg.tests", x="broken_module:X")
    assert plugin_names("medkg.tests") == ["x"]
    with pytest.raises(ConfigurationError, match=r"'x'.*broken 1\.0.*ModuleNotFoundError"):
        load_plugins("medkg.tests")


def test_a_plugin_that_is_no_class_is_refused(install: Install) -> None:
    install("function", "function_module", "def make(): ...", "medkg.tests", x="function_module:make")
    with pytest.raises(ConfigurationError, match="is a function, not a class"):
        load_plugins("medkg.tests")


def test_two_plugins_of_one_name_are_refused_with_both_names(install: Install) -> None:
    for name in ("first", "second"):
        install(name, f"{name}_module", "class X: ...", "medkg.tests", x=f"{name}_module:X")
    with pytest.raises(ConfigurationError, match=r"first 1\.0") as raised:
        load_plugins("medkg.tests")
    assert "second 1.0" in raised.value.message


def test_a_group_without_plugins_is_empty() -> None:
    assert load_plugins("medkg.no-such-group") == {}
