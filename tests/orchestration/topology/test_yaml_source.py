"""A file that is not what it should be is refused with its line, in words a person can act on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import parse_yaml, read_bytes
from tests.orchestration.topology.topology_files import a_topology

ErrorOf = Callable[[str], str]


@pytest.mark.parametrize(
    ("text", "starts", "says"),
    [
        ("name: auto\nstages:\n\t- name: x\n", "auto.yaml:3: ", "a tab; YAML is indented with spaces"),
        ("name: auto\nname: other\n", "auto.yaml:2: ", "key 'name' is there twice, first on line 1"),
        ("- a\n- b\n", "auto.yaml:1: ", "the file is a list; a mapping"),
        ("just text\n", "auto.yaml:1: ", "the file is a single value"),
        ("", "auto.yaml:1: ", "the file is empty"),
        ("name: auto\nstages: [a,\n", "auto.yaml:3: ", "brackets"),
        ("name: &n auto\ndescription: *n\n", "auto.yaml:1: ", "write it out"),
        ("name: auto\n1: x\n", "auto.yaml:2: ", "keys are words"),
        ("name: auto\nconfig: !!binary aGk=\n", "auto.yaml:2: ", "use text, numbers, true or false"),
        ("name: auto\nx: !!python/object:os.system {}\n", "auto.yaml:2: ", "has no meaning here"),
        (
            a_topology(head="\npolcy: x"),
            "auto.yaml:4: ",
            "'polcy' is not a field. Valid here: description, gates",
        ),
        (
            a_topology().replace("policy: gpu", "polcy: gpu"),
            "auto.yaml:8: ",
            "'stages[3].polcy' is not a field. Valid here: after, config",
        ),
        (a_topology().replace("version: 2026-11-23\n", ""), "auto.yaml:1: ", "'version' is missing"),
        (a_topology().replace("2026-11-23", "2026-13-45"), "auto.yaml:2: ", "month must be in 1..12"),
        (a_topology().replace("2026-11-23", "'2026-13-45'"), "auto.yaml:2: ", "not a date"),
        (a_topology().replace("name: auto", "name: Auto Topology"), "auto.yaml:1: ", "'Auto Topology'"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_cause(
    error_of: ErrorOf, text: str, starts: str, says: str
) -> None:
    message = error_of(text)
    assert message.startswith(starts), message
    assert says in message


def test_every_problem_of_a_file_is_named_at_once(error_of: ErrorOf) -> None:
    message = error_of(a_topology(head="\nfoo: 1").replace("policy: gpu-bound", "optional: perhaps"))
    assert "auto.yaml:4: 'foo' is not a field" in message
    assert "auto.yaml:9: 'stages[3].optional' is 'perhaps'" in message


def test_a_near_miss_is_named(error_of: ErrorOf) -> None:
    assert "Did you mean 'policy'?" in error_of(a_topology().replace("policy: gpu", "polcy: gpu"))


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(ConfigurationError, match=r"auto.yaml:2: not UTF-8"):
        parse_yaml(b"name: auto\ndescription: caf\xe9\n", Path("auto.yaml"), ConfigurationError)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        parse_yaml(b"a: " + b"[" * 5_000, Path("auto.yaml"), ConfigurationError)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_bytes(tmp_path / "none.yaml", ConfigurationError)
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_bytes(tmp_path, ConfigurationError)


def test_a_file_far_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigurationError, match="at most 256000"):
        read_bytes(path, ConfigurationError)
