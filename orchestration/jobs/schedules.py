"""Schedules of a data folder: which source to synchronise with which topology, and when.

Input: the YAML files of a folder, one schedule per file, named by the file. Output: valid schedules by name,
and for each invalid file a ConfigurationError that names file, line and what would be valid. An invalid file
leaves out its own schedule and no other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import YamlSource, closest, parse_yaml, read_bytes, validate
from orchestration.jobs.cron import cron_problem
from orchestration.records import Record
from orchestration.settings import TENANT_PATTERN

__all__ = ["RESERVED_NAME", "Schedule", "Schedules", "read_schedules"]

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RESERVED_NAME: Final = "verify"
"""The schedule that medkg defines itself."""


class Schedule(Record):
    """One standing request: at each tick, a job that takes from the source what is new or has changed."""

    description: str = Field(default="", max_length=500, description="Shown in the Dagster UI.")
    topology: str = Field(min_length=1, description="Topology that the documents go through.")
    source: str = Field(default="files", min_length=1, description="Source plugin.")
    paths: tuple[str, ...] = Field(default=(), description="Absolute files and folders, for source files.")
    query: str | None = Field(default=None, description="Query, for sources that search.")
    limit: int | None = Field(default=None, ge=1, description="Maximum number of documents per tick.")
    mirror: bool = Field(
        default=False,
        description="Also remove documents that are gone from the folder or the listing, without asking.",
    )
    tenant: str | None = Field(default=None, description="Tenant; default: MEDKG_TENANT.")
    window: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Maximum number of documents per run; default: MEDKG_WINDOW_SIZE."
    )
    cron: str = Field(description="When: minute, hour, day of month, month, day of week.")
    timezone: str = Field(default="UTC", description="IANA time zone of `cron`, e.g. Europe/Vienna.")

    @field_validator("cron")
    @classmethod
    def _cron_is_valid(cls, value: str) -> str:
        problem = cron_problem(value)
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            near = closest(value, sorted(available_timezones()))
            raise ValueError(f"there is no such time zone; e.g. UTC or Europe/Vienna.{near}") from None
        return value

    @field_validator("tenant")
    @classmethod
    def _tenant_is_a_plain_name(cls, value: str | None) -> str | None:
        if value is not None and (not TENANT_PATTERN.fullmatch(value) or ".." in value):
            raise ValueError("a tenant is 1-63 lower-case letters, digits, '.', '_' or '-', e.g. 'oncology'")
        return value

    @field_validator("paths")
    @classmethod
    def _paths_are_absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        relative = [path for path in value if not Path(path).is_absolute()]
        if relative:
            raise ValueError(f"{relative[0]!r} is relative; write the whole path, e.g. /data/trials")
        return value


@dataclass(frozen=True, slots=True)
class Schedules:
    """What a folder of schedules holds."""

    valid: Mapping[str, Schedule]
    problems: Mapping[str, ConfigurationError]
    """By file name."""


def read_schedules(
    folder: Path, topologies: Collection[str], sources: Collection[str] | None = None
) -> Schedules:
    """Read every `*.yaml` of the folder, if there is one; without `sources` their names are not checked."""
    valid: dict[str, Schedule] = {}
    problems: dict[str, ConfigurationError] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            valid[path.stem] = _read(path, topologies, sources)
        except ConfigurationError as error:
            problems[path.name] = error
    return Schedules(valid, problems)


def _read(path: Path, topologies: Collection[str], sources: Collection[str] | None) -> Schedule:
    if not NAME.fullmatch(path.stem) or path.stem == RESERVED_NAME:
        raise ConfigurationError(
            f"{path}: a schedule is named by its file: lower-case letters, digits and '-', and not "
            f"{RESERVED_NAME}.yaml, which is medkg's own. Rename the file, e.g. trials-nightly.yaml."
        )
    source = parse_yaml(read_bytes(path, ConfigurationError), path, ConfigurationError)
    schedule = validate(source, Schedule)
    _check_known(source, "topology", schedule.topology, topologies)
    if sources is not None:
        _check_known(source, "source", schedule.source, sources)
    if schedule.mirror and schedule.limit is not None:
        raise source.error(
            ("mirror",), "mirror needs the complete listing, which limit cuts off. Leave one out."
        )
    if schedule.source == "files" and not schedule.paths:
        raise source.error(("source",), "source files needs `paths`, a list of absolute files and folders.")
    return schedule


def _check_known(source: YamlSource, field: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        names = sorted(known)
        raise source.error(
            (field,), f"there is no {field} {name!r}; there are {', '.join(names)}.{closest(name, names)}"
        )
