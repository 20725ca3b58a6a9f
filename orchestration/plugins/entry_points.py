"""Loads plugins: classes that installed distributions name under an entry point group.

Comes in: a group (medkg.sources, medkg.parsers, medkg.stages ...). Leaves: its classes by name. A plugin
that cannot be loaded, or two plugins of one name, stop the program with a ConfigurationError that names the
distributions, instead of failing documents one by one later.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from orchestration.errors import ConfigurationError

__all__ = ["load_plugins", "plugin_names"]


def load_plugins(group: str, only: str | None = None) -> dict[str, type]:
    """The classes of `group` by entry point name, sorted; `only` that one. Raises ConfigurationError."""
    entries = _entries(group)
    return {name: _load(entries[name]) for name in sorted(entries) if only in (None, name)}


def plugin_names(group: str) -> list[str]:
    """Names of the group's plugins, sorted, without loading them; raises ConfigurationError."""
    return sorted(_entries(group))


def _entries(group: str) -> dict[str, EntryPoint]:
    chosen: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = chosen.setdefault(entry.name, entry)
        if other is entry:
            continue
        if other.value != entry.value or _distribution(other) != _distribution(entry):
            raise ConfigurationError(
                f"two plugins of group {group} are named {entry.name!r}: {other.value} of "
                f"{_distribution(other)} and {entry.value} of {_distribution(entry)}. Uninstall one, or "
                "rename its entry point."
            )
    return chosen


def _load(entry: EntryPoint) -> type:
    try:
        plugin = entry.load()
    except Exception as error:
        raise ConfigurationError(
            f"{_where(entry)} cannot be loaded: {type(error).__name__}: {error}. "
            "Fix or uninstall that distribution."
        ) from error
    if not isinstance(plugin, type):
        raise ConfigurationError(
            f"{_where(entry)} is a {type(plugin).__name__}, not a class. Point the entry point at the class."
        )
    return plugin


def _where(entry: EntryPoint) -> str:
    return (
        f"plugin {entry.name!r} of group {entry.group}, distribution {_distribution(entry)} ({entry.value})"
    )


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "unknown"
