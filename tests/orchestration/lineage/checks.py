"""Checks of events: against the specification, against medkg's own schemas, and that runs end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

ROOT = Path(__file__).parents[3]
SPECIFICATION = ROOT.parent / "shared" / "schemas" / "openlineage"
OWN = ROOT / "docs" / "schemas" / "openlineage"

RUN_FACET = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "$defs": {
        "RunFacet": {
            "type": "object",
            "properties": {
                "_producer": {"type": "string", "format": "uri"},
                "_schemaURL": {"type": "string", "format": "uri"},
            },
            "required": ["_producer", "_schemaURL"],
        }
    },
}
"""What medkg's schemas refer to, for machines without the specification."""

END = {"COMPLETE", "FAIL", "ABORT"}


def own_registry() -> Registry[Any]:
    """medkg's schemas, and as much of the specification as they need."""
    contents = [RUN_FACET, *map(_read, sorted(OWN.glob("*/*.json")))]
    return Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in contents])


def specification_registry() -> Registry[Any]:
    """The specification with its facets, and medkg's schemas; skips where the specification is not there."""
    if not SPECIFICATION.is_dir():
        pytest.skip("needs ../shared/schemas/openlineage")
    files = [SPECIFICATION / "OpenLineage.json", *sorted((SPECIFICATION / "facets").glob("*.json"))]
    contents = [*map(_read, files), *map(_read, sorted(OWN.glob("*/*.json")))]
    return Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in contents])


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def check(registry: Registry[Any], value: Any, address: str) -> None:
    """Fail unless the value is valid under the schema at the address."""
    jsonschema.Draft202012Validator(
        {"$ref": address}, registry=registry, format_checker=jsonschema.FormatChecker()
    ).validate(value)


def check_event(registry: Registry[Any], event: dict[str, Any]) -> None:
    """Fail unless the event and each of its facets are valid under the schemas that they name."""
    check(registry, event, event["schemaURL"])
    for facet in facets_of(event):
        check(registry, facet, facet["_schemaURL"])


def facets_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """All facets of an event."""
    groups = [event["run"].get("facets", {}), event["job"].get("facets", {})]
    for dataset in [*event.get("inputs", []), *event.get("outputs", [])]:
        groups += [dataset.get(name, {}) for name in ("facets", "inputFacets", "outputFacets")]
    return [facet for group in groups for facet in group.values()]


def assert_runs_end(events: Sequence[dict[str, Any]]) -> None:
    """Each run has one START, first, and one end, behind which only OTHER may come."""
    states: dict[str, list[str]] = defaultdict(list)
    for event in events:
        states[event["run"]["runId"]].append(event["eventType"])
    for run_id, types in states.items():
        assert types.count("START") == 1 and types[0] == "START", (run_id, types)
        ends = [place for place, each in enumerate(types) if each in END]
        assert len(ends) == 1, (run_id, types)
        assert set(types[ends[0] + 1 :]) <= {"OTHER"}, (run_id, types)


def parent_of(event: dict[str, Any]) -> str | None:
    """Run id of the parent."""
    parent = event["run"]["facets"].get("parent")
    return parent["run"]["runId"] if parent else None


def assert_tree(events: Sequence[dict[str, Any]]) -> None:
    """Stages are below windows, windows below jobs, and all name their job as the root."""
    level = {event["run"]["runId"]: event["job"]["facets"]["jobType"]["jobType"] for event in events}
    above = {"STAGE": "WINDOW", "WINDOW": "JOB"}
    parents = {event["run"]["runId"]: parent_of(event) for event in events}
    for event in events:
        run_id = event["run"]["runId"]
        parent = parents[run_id]
        if level[run_id] == "JOB":
            assert parent is None
            continue
        assert parent is not None and level[parent] == above[level[run_id]]
        root = event["run"]["facets"]["parent"]["root"]["run"]["runId"]
        assert root == (parent if level[run_id] == "WINDOW" else parents[parent])
