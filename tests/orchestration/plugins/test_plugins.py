"""Plugins are found by entry point; broken ones name themselves; the documented one passes the suite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medkg.testing.document_checks import sections_of
from medkg.testing.parser_suite import ParserSample, ParserSuite, documents
from orchestration.contracts import Parser, SourceRequest
from orchestration.errors import ConfigurationError
from orchestration.plugins.entry_points import GROUPS, installed_plugins, load_plugins, plugin_names
from orchestration.sources.files import FilesSource
from tests.orchestration.conftest import Install

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


def test_every_installed_plugin_is_listed_with_its_distribution_and_whether_it_loads(
    install: Install,
) -> None:
    install("broken", "broken_module", "import nothing_of_that_name", "medkg.parsers", ris="broken_module:X")
    plugins = {(plugin.group, plugin.name): plugin for plugin in installed_plugins()}
    assert {group for group, _ in plugins} == set(GROUPS)
    sound = plugins["medkg.pdf_converters", "text-layer"]
    assert sound.distribution.startswith("medkg ") and sound.problem is None
    broken = plugins.pop(("medkg.parsers", "ris"))
    assert broken.distribution == "broken 1.0" and broken.problem is not None
    assert "ModuleNotFoundError" in broken.problem.message
    assert all(plugin.problem is None for plugin in plugins.values())


def test_plugins_that_share_a_name_are_both_listed_with_the_problem(install: Install) -> None:
    for name in ("first", "second"):
        install(name, f"{name}_module", "class X: ...", "medkg.stages", x=f"{name}_module:X")
    namesakes = [plugin for plugin in installed_plugins() if plugin.name == "x"]
    assert {plugin.distribution for plugin in namesakes} == {"first 1.0", "second 1.0"}
    assert all(plugin.problem and "named 'x'" in plugin.problem.message for plugin in namesakes)


def test_a_plugin_of_a_group_that_medkg_does_not_read_is_listed_as_a_problem(install: Install) -> None:
    install("misspelt", "misspelt_module", "class X: ...", "medkg.parser", x="misspelt_module:X")
    (plugin,) = [plugin for plugin in installed_plugins() if plugin.group not in GROUPS]
    assert plugin.problem is not None and "medkg.parsers" in plugin.problem.message
