"""Loads plugins: classes that installed distributions name under an entry point group.

Comes in: a group (medkg.sources, medkg.parsers, medkg.stages ...). Leaves: its classes by name. A plugin
that cannot be loaded, or two plugins of one name, stop the program with a ConfigurationError that names the
distributions, instead of failing documents one by one later. `installed_plugins` lists such plugins instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from orchestration.errors import ConfigurationError

__all__ = ["GROUPS", "InstalledPlugin", "installed_plugins", "load_plugins", "plugin_names"]

PREFIX: Final = "medkg."
GROUPS: Final = tuple(
    f"{PREFIX}{kind}" for kind in ("sources", "parsers", "pdf_converters", "extractors", "stages")
)
"""Every group that medkg loads plugins of."""


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An entry point of an installed distribution, and why it cannot be used, if it cannot."""

    group: str
    name: str
    distribution: str
    """Name and version."""
    value: str
    """Module and class, `package.module:Class`."""
    problem: ConfigurationError | None


def load_plugins(group: str, only: str | None = None) -> dict[str, type]:
    """The classes of `group` by entry point name, sorted; `only` that one. Raises ConfigurationError."""
    entries = _by_name(group)
    return {name: _load(entries[name]) for name in sorted(entries) if only in (None, name)}


def plugin_names(group: str) -> list[str]:
    """Names of the group's plugins, sorted, without loading them; raises ConfigurationError."""
    return sorted(_by_name(group))


def installed_plugins() -> list[InstalledPlugin]:
    """Load every plugin of every group named medkg.*; returns them by group, in order of their names.

    Has a problem: a plugin that cannot be loaded, shares its name, or is of a group that medkg does not read.
    """
    others = sorted(name for name in entry_points().groups if name.startswith(PREFIX) and name not in GROUPS)
    return [
        InstalledPlugin(group, name, _distribution(entry), entry.value, _problem(entry, namesakes))
        for group in (*GROUPS, *others)
        for name, namesakes in sorted(_entries(group).items())
        for entry in namesakes
    ]


def _problem(entry: EntryPoint, namesakes: Sequence[EntryPoint]) -> ConfigurationError | None:
    try:
        if entry.group not in GROUPS:
            raise ConfigurationError(
                f"{_described(entry)} is of a group that medkg does not read; it reads {', '.join(GROUPS)}. "
                "Correct the group in that distribution."
            )
        _load(_only_one(namesakes))
    except ConfigurationError as error:
        return error
    return None


def _by_name(group: str) -> dict[str, EntryPoint]:
    return {name: _only_one(namesakes) for name, namesakes in _entries(group).items()}


def _entries(group: str) -> dict[str, list[EntryPoint]]:
    """Entry points by name; one of a distribution that is on the path twice counts once.

    Reads the metadata of distributions only to compare namesakes: that takes longer than all the rest.
    """
    entries: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry in entry_points(group=group):
        entries[entry.name].append(entry)
    return {name: _different(namesakes) for name, namesakes in entries.items()}


def _different(namesakes: list[EntryPoint]) -> list[EntryPoint]:
    if len(namesakes) == 1:
        return namesakes
    different: dict[tuple[str, str], EntryPoint] = {}
    for entry in namesakes:
        different.setdefault((entry.value, _distribution(entry)), entry)
    return list(different.values())


def _only_one(namesakes: Sequence[EntryPoint]) -> EntryPoint:
    first, *others = namesakes
    for other in others:
        raise ConfigurationError(
            f"two plugins of group {first.group} are named {first.name!r}: {first.value} of "
            f"{_distribution(first)} and {other.value} of {_distribution(other)}. Uninstall one, or "
            "rename its entry point."
        )
    return first


def _load(entry: EntryPoint) -> type:
    try:
        plugin = entry.load()
    except Exception as error:
        raise ConfigurationError(
            f"{_described(entry)} cannot be loaded: {type(error).__name__}: {error}. Fix or uninstall that "
            "distribution."
        ) from error
    if not isinstance(plugin, type):
        raise ConfigurationError(
            f"{_described(entry)} is a {type(plugin).__name__}, not a class. Point the entry point at the "
            "class."
        )
    return plugin


def _described(entry: EntryPoint) -> str:
    return (
        f"plugin {entry.name!r} of group {entry.group}, distribution {_distribution(entry)} ({entry.value})"
    )


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "unknown"
