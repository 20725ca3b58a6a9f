"""Topologies by name: found in a folder, checked once, read again when their file changes.

Comes in: `auto` or `auto@2026-11-23`. Leaves: its TopologyGraph. An edit that breaks a topology keeps the
last good one in use and is reported, so that a typing error in a file never stops a running service. Dated
versions lie under versions/YYYY-MM-DD/ and are what a run can be repeated with.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError, DagsterPipelineConfigError, UsageError
from orchestration.formats.yaml_source import closest, parse_yaml, read_bytes
from orchestration.topology.graph import TopologyGraph, build_graph

__all__ = ["PipelineLoader", "TopologyProblem"]

POLICY_FILE: Final = "resilience.yaml"
VERSIONS: Final = "versions"

SETTLED_NANOSECONDS: Final = 2_000_000_000
"""A file younger than this when it was read may change again under the same time stamp."""


@dataclass(frozen=True, slots=True)
class TopologyProblem:
    """A topology file that cannot be used as it stands now."""

    name: str
    error: ConfigurationError
    in_use: str | None
    """Version that stays in use instead; None when there was never a good one."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The last look at one file: what it was then, and what came of it."""

    stamp: tuple[int, ...] | None
    sha256: str
    policies: frozenset[str]
    graph: TopologyGraph | None
    error: ConfigurationError | None


def warn(problem: TopologyProblem) -> None:
    """Log a broken edit: the default report of a loader."""
    logging.getLogger(__name__).warning(
        "topology %s: the changed file is not used, version %s stays: %s",
        problem.name,
        problem.in_use,
        problem.error.message,
    )


class PipelineLoader:
    """The topologies of one folder. Not for several threads at once; cheap enough to have one each."""

    def __init__(
        self,
        folder: Path,
        implementations: Callable[[], Collection[str]],
        policies: Callable[[], Collection[str]],
        report: Callable[[TopologyProblem], None] = warn,
    ) -> None:
        """`implementations`: names of installed stages; `policies`: those resilience.yaml defines."""
        self._folder = folder
        self._implementations = implementations
        self._policies = policies
        self._report = report
        self._loaded: dict[Path, _Loaded] = {}

    @property
    def folder(self) -> Path:
        return self._folder

    def names(self) -> tuple[str, ...]:
        """Every topology of the folder, valid or not, in order."""
        if not self._folder.is_dir():
            raise DagsterPipelineConfigError(
                f"{self._folder} is not a folder of topologies. Give one (MEDKG_TOPOLOGIES_DIR), or none "
                "to use those that medkg ships."
            )
        return tuple(sorted(path.stem for path in self._folder.glob("*.yaml") if path.name != POLICY_FILE))

    def valid_names(self) -> tuple[str, ...]:
        """Those of `names` that can be loaded and whose Dagster job is theirs alone."""
        broken = self.problems()
        return tuple(name for name in self.names() if name not in broken or broken[name].in_use is not None)

    def problems(self) -> Mapping[str, TopologyProblem]:
        """What is wrong with the files as they stand now, by topology; empty when all is well."""
        found: dict[str, TopologyProblem] = {}
        jobs: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.names():
            loaded = self._look(self._path(name), name, None)
            if loaded.error is not None:
                in_use = loaded.graph.version if loaded.graph else None
                found[name] = TopologyProblem(name, loaded.error, in_use)
            if loaded.graph is not None:
                for phase in loaded.graph.phases:
                    jobs[phase.job].append(name)
        for job, (first, *others) in jobs.items():
            for name in others:
                error = DagsterPipelineConfigError(
                    f"{self._path(name)}: job {job!r} is already that of topology {first!r}; "
                    "give it another `job`."
                )
                found[name] = TopologyProblem(name, error, None)
        return found

    def versions(self, name: str) -> tuple[str, ...]:
        """Dated versions that are kept of a topology, oldest first."""
        return tuple(sorted(path.parent.name for path in self._folder.glob(f"{VERSIONS}/*/{name}.yaml")))

    def load(self, name: str) -> TopologyGraph:
        """The topology `NAME`, or its dated version `NAME@YYYY-MM-DD`.

        Raises UsageError when there is no such topology or version, and DagsterPipelineConfigError when its
        file is wrong and no earlier content of it was good.
        """
        plain, _, version = name.partition("@")
        if version:
            return self._load_version(plain, version)
        if plain not in self.names():
            raise UsageError(
                f"there is no topology {plain!r} in {self._folder}; available: "
                f"{', '.join(self.names()) or 'none'}.{closest(plain, self.names())}"
            )
        return self._usable(self._look(self._path(plain), plain, None))

    def check(self, path: Path) -> TopologyGraph:
        """Check a file that need not be in the folder; raises DagsterPipelineConfigError."""
        return self._read(path, path.stem, None, read_bytes(path, DagsterPipelineConfigError))

    def _load_version(self, name: str, version: str) -> TopologyGraph:
        path = self._folder / VERSIONS / version / f"{name}.yaml"
        kept = self.versions(name)
        if version in kept:
            return self._usable(self._look(path, name, version))
        if name in self.names():
            current = self.load(name)
            if current.version == version:
                return current
        raise UsageError(
            f"there is no version {version!r} of topology {name!r}; kept: {', '.join(kept) or 'none'}."
            f"{closest(version, kept) if kept else closest(name, self.names())}"
        )

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.yaml"

    def _usable(self, loaded: _Loaded) -> TopologyGraph:
        if loaded.graph is not None:
            return loaded.graph
        assert loaded.error is not None
        raise loaded.error

    def _look(self, path: Path, name: str, version: str | None) -> _Loaded:
        """What the file is now; reads and checks it only when it or the policies' names have changed."""
        before = self._loaded.get(path)
        policies = frozenset(self._policies())
        stamp = _stamp(path)
        if before and stamp is not None and before.stamp == stamp and before.policies == policies:
            return before
        try:
            content = read_bytes(path, DagsterPipelineConfigError)
        except DagsterPipelineConfigError as error:
            return self._keep(path, name, before, _Loaded(None, "", policies, None, error))
        sha256 = hashlib.sha256(content).hexdigest()
        if before and before.sha256 == sha256 and before.policies == policies:
            loaded = _Loaded(stamp, sha256, policies, before.graph, before.error)
            self._loaded[path] = loaded
            return loaded
        try:
            graph = self._read(path, name, version, content)
        except DagsterPipelineConfigError as error:
            return self._keep(path, name, before, _Loaded(stamp, sha256, policies, None, error))
        return self._keep(path, name, before, _Loaded(stamp, sha256, policies, graph, None))

    def _keep(self, path: Path, name: str, before: _Loaded | None, now: _Loaded) -> _Loaded:
        """Remember the look; with an error, the last good graph stays and the edit is reported."""
        if now.error is not None and before is not None and before.graph is not None:
            self._report(TopologyProblem(name, now.error, before.graph.version))
            now = _Loaded(now.stamp, now.sha256, now.policies, before.graph, now.error)
        self._loaded[path] = now
        return now

    def _read(self, path: Path, name: str, version: str | None, content: bytes) -> TopologyGraph:
        source = parse_yaml(content, path, DagsterPipelineConfigError)
        graph = build_graph(source, self._implementations(), self._policies())
        if graph.name != name:
            raise source.error(
                ("name",), f"the file is named {path.name} but the topology {graph.name!r}; make them agree."
            )
        if version is not None and graph.version != version:
            raise source.error(
                ("version",),
                f"the file lies under {version} but says version {graph.version}; make them agree.",
            )
        return graph


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What tells an unchanged file without reading it; None while it is too young to be told."""
    try:
        found = path.stat()
    except OSError:
        return None
    if time.time_ns() - found.st_mtime_ns < SETTLED_NANOSECONDS:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
