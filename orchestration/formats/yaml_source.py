"""YAML with line numbers: plain data, and the line of every part of it.

Comes in: a file (a topology, the resilience policies). Leaves: a YamlSource, and from it a pydantic model, or
an error of the caller's class that names file, line, cause and what would be valid: for tabs, repeated keys,
aliases, unknown or wrong fields, a file that cannot be read or is too large.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestration.errors import ConfigurationError

__all__ = ["Place", "YamlSource", "closest", "parse_yaml", "read_bytes", "schema_json", "validate"]

MAX_BYTES: Final = 256_000
"""No topology or policy file is larger; anything else is a mistake."""

PLAIN_TAGS: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A file's data, and the line of each part of it."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Place, int]
    sha256: str
    error_class: type[ConfigurationError]

    def line_of(self, place: Sequence[str | int]) -> int:
        """Line of the part, or of the innermost part around it that the file has."""
        for end in range(len(place), -1, -1):
            line = self.lines.get(tuple(place[:end]))
            if line is not None:
                return line
        return 1

    def error(self, place: Sequence[str | int], problem: str) -> ConfigurationError:
        """An error about one part: `auto.yaml:12: <problem>`."""
        return self.error_class(f"{self.path}:{self.line_of(place)}: {problem}")


def read_bytes(path: Path, error_class: type[ConfigurationError]) -> bytes:
    """The file's bytes; raises `error_class` when it cannot be read or is too large."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise error_class(
            f"{path} cannot be read: {error.strerror or error}. Give it as a readable file."
        ) from error
    if len(content) > MAX_BYTES:
        raise error_class(f"{path} has {len(content)} bytes; at most {MAX_BYTES} make sense here.")
    return content


def parse_yaml(content: bytes, path: Path, error_class: type[ConfigurationError]) -> YamlSource:
    """Data and lines of a YAML mapping; raises `error_class` naming file and line."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise error_class(f"{path}:{line}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from error
    except MarkedYAMLError as error:
        raise error_class(f"{path}:{_error_line(error)}: {_explained(error)}") from error
    except YAMLError as error:
        raise error_class(f"{path}: not YAML: {error}") from error
    except RecursionError as error:
        raise error_class(f"{path}: nested too deeply. Use at most a few levels.") from error
    if not isinstance(root, MappingNode):
        what = "empty" if root is None else f"a {_kind(root)}"
        raise error_class(f"{path}:1: the file is {what}; a mapping with keys such as `name:` is needed.")
    reader = _Reader(path, error_class, yaml)
    data = reader.value(root, ())
    return YamlSource(path, data, reader.lines, hashlib.sha256(content).hexdigest(), error_class)


def validate(source: YamlSource, model: type[Model]) -> Model:
    """The file's data as a model; raises one error that names every problem with its line."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        problems = sorted(
            (source.line_of(details["loc"]), _problem(details, model))
            for details in error.errors()
            if details["type"] != "default_factory_not_called"  # a consequence of another problem
        )
        raise source.error_class(
            "\n".join(f"{source.path}:{line}: {problem}" for line, problem in problems)
        ) from error


def schema_json(model: type[BaseModel], title: str) -> str:
    """The JSON Schema (draft 2020-12) of a file's model, for editors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def closest(name: str, known: Sequence[str]) -> str:
    """' Did you mean x?', or nothing when no known name is near."""
    near = get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@dataclass(slots=True)
class _Reader:
    path: Path
    error_class: type[ConfigurationError]
    yaml: YAML
    lines: dict[Place, int] = field(default_factory=dict)
    read_nodes: set[int] = field(default_factory=set)

    def value(self, node: Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if id(node) in self.read_nodes:
            raise self.error_class(
                f"{self.path}:{line}: the part under '&{node.anchor}' is used again by an alias; "
                "write it out where it is needed."
            )
        self.read_nodes.add(id(node))
        if not isinstance(node, ScalarNode) and node.tag not in PLAIN_TAGS:
            raise self.error_class(f"{self.path}:{line}: tag {node.tag} has no meaning here; remove it.")
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self.value(child, (*place, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None or key_node.tag != "tag:yaml.org,2002:str":
                raise self.error_class(
                    f"{self.path}:{line}: {key!r} cannot be a key; keys are words, e.g. `name:`."
                )
            if key in values:
                first = self.lines[(*place, key)]
                raise self.error_class(
                    f"{self.path}:{line}: key {key!r} is there twice, first on line {first}. Remove one."
                )
            self.lines[(*place, key)] = line
            values[key] = self.value(value_node, (*place, key))
        return values

    def _scalar(self, node: Node, line: int) -> Any:
        try:
            value = self.yaml.constructor.construct_object(node, deep=True)
        except (YAMLError, ValueError) as error:
            raise self.error_class(f"{self.path}:{line}: {node.value!r} cannot be read: {error}") from error
        if isinstance(value, date):
            return value.isoformat()
        if value is not None and not isinstance(value, str | int | float):
            raise self.error_class(
                f"{self.path}:{line}: {node.value!r} has tag {node.tag}; use text, numbers, true or false."
            )
        return value


def _kind(node: Node) -> str:
    return "list" if isinstance(node, SequenceNode) else "single value"


def _error_line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark is not None else 1


def _explained(error: MarkedYAMLError) -> str:
    problem = " ".join(part for part in (error.problem, error.context) if part)
    if "'\\t'" in problem:
        return "a tab; YAML is indented with spaces. Replace it by spaces."
    return f"not YAML: {problem}. Check indentation, quotes and brackets at this line and the one before."


def _problem(details: ErrorDetails, model: type[BaseModel]) -> str:
    """The problem of one field, and what would be valid."""
    *around, last = details["loc"] or ("",)
    name = _dotted(details["loc"])
    if details["type"] == "extra_forbidden":
        valid = _fields(model, around)
        return f"{name!r} is not a field. Valid here: {', '.join(valid)}.{closest(str(last), valid)}"
    if details["type"] == "missing":
        return f"{name!r} is missing."
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    value = details["input"]
    shown = "" if isinstance(value, dict | list | BaseModel) else f" is {value!r}"
    return f"{name!r}{shown}: {message}."


def _dotted(place: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _fields(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Field names of the model at `place` inside `model`, by its JSON Schema."""
    schema = model.model_json_schema()
    here: Mapping[str, Any] = schema
    for part in place:
        here = _step(schema, here, part)
    return sorted(_resolved(schema, here).get("properties", {}))


def _step(schema: Mapping[str, Any], here: Mapping[str, Any], part: str | int) -> Mapping[str, Any]:
    here = _resolved(schema, here)
    if isinstance(part, int):
        return here.get("items", {})  # type: ignore[no-any-return]
    for option in (
        here,
        *(_resolved(schema, alternative) for alternative in here.get("oneOf", here.get("anyOf", []))),
    ):
        if part in option.get("properties", {}):
            return option["properties"][part]  # type: ignore[no-any-return]
        kind = option.get("properties", {}).get("kind", {}).get("const")
        if kind == part:
            return option
    by_any_key = [*here.get("patternProperties", {}).values(), here.get("additionalProperties")]
    return next((alternative for alternative in by_any_key if isinstance(alternative, Mapping)), {})


def _resolved(schema: Mapping[str, Any], here: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [option for option in here.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        here = options[0]
    reference = here.get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[1]] if reference else here
