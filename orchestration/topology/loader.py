"""Topologies of a folder by name: checked once, read again when their file changes.

Comes in: `auto` or `auto@2026-11-23`. Leaves: its TopologyGraph. After an edit that breaks a topology the
last valid one stays in use and the error is reported, so that a typing error never stops a running service.
Dated versions are in versions/YYYY-MM-DD/; a run can be repeated with them.
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

OTHER_FILES: Final = frozenset({"resilience.yaml", "graph.yaml"})
"""Files of the folder that are no topologies."""
VERSIONS: Final = "versions"

SETTLED_NANOSECONDS: Final = 2_000_000_000
"""A file younger than this when it was read may change again with the same time stamp."""


@dataclass(frozen=True, slots=True)
class TopologyProblem:
    """A topology file whose present content cannot be used."""

    name: str
    error: ConfigurationError
    in_use: str | None
    """Version that stays in use; None when the file was never valid."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The last reading of one file and its result."""

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
    """The topologies of one folder. Not thread-safe; cheap enough for one per thread."""

    def __init__(
        self,
        folder: Path,
        implementations: Callable[[], Collection[str]],
        policies: Callable[[], Collection[str]],
        report: Callable[[TopologyProblem], None] = warn,
    ) -> None:
        """`implementations` returns the names of installed stages, `policies` those of resilience.yaml."""
        self._folder = folder
        self._implementations = implementations
        self._policies = policies
        self._report = report
        self._loaded: dict[Path, _Loaded] = {}

    @property
    def folder(self) -> Path:
        return self._folder

    def names(self) -> tuple[str, ...]:
        """Names of all topologies of the folder, valid or not, sorted."""
        if not self._folder.is_dir():
            raise DagsterPipelineConfigError(
                f"{self._folder} is not a folder of topologies. Set MEDKG_TOPOLOGIES_DIR to one, or unset "
                "it to use the shipped topologies."
            )
        return tuple(
            sorted(path.stem for path in self._folder.glob("*.yaml") if path.name not in OTHER_FILES)
        )

    def valid_names(self) -> tuple[str, ...]:
        """Those of `names` that can be loaded and share their Dagster job with no other topology."""
        broken = self.problems()
        return tuple(name for name in self.names() if name not in broken or broken[name].in_use is not None)

    def problems(self) -> Mapping[str, TopologyProblem]:
        """Problems of the present files by topology; empty when all are valid."""
        problems: dict[str, TopologyProblem] = {}
        jobs: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.names():
            loaded = self._load_file(self._path(name), name, None)
            if loaded.error is not None:
                in_use = loaded.graph.version if loaded.graph else None
                problems[name] = TopologyProblem(name, loaded.error, in_use)
            if loaded.graph is not None:
                for phase in loaded.graph.phases:
                    jobs[phase.job].append(name)
        for job, (first, *others) in jobs.items():
            for name in others:
                error = DagsterPipelineConfigError(
                    f"{self._path(name)}: job {job!r} is already that of topology {first!r}; "
                    "use another `job`."
                )
                problems[name] = TopologyProblem(name, error, None)
        return problems

    def versions(self, name: str) -> tuple[str, ...]:
        """Dated versions of a topology in the folder, oldest first."""
        return tuple(sorted(path.parent.name for path in self._folder.glob(f"{VERSIONS}/*/{name}.yaml")))

    def load(self, name: str) -> TopologyGraph:
        """The topology `NAME`, or its dated version `NAME@YYYY-MM-DD`.

        Raises UsageError for an unknown topology or version, and DagsterPipelineConfigError when its file is
        wrong and no earlier content of it was valid.
        """
        plain, _, version = name.partition("@")
        if version:
            return self._load_version(plain, version)
        if plain not in self.names():
            raise UsageError(
                f"there is no topology {plain!r} in {self._folder}; available: "
                f"{', '.join(self.names()) or 'none'}.{closest(plain, self.names())}"
            )
        return self._usable(self._load_file(self._path(plain), plain, None))

    def check(self, path: Path) -> TopologyGraph:
        """Check a file that need not be in the folder; raises DagsterPipelineConfigError."""
        return self._read(path, path.stem, None, read_bytes(path, DagsterPipelineConfigError))

    def _load_version(self, name: str, version: str) -> TopologyGraph:
        path = self._folder / VERSIONS / version / f"{name}.yaml"
        versions = self.versions(name)
        if version in versions:
            return self._usable(self._load_file(path, name, version))
        if name in self.names():
            current = self.load(name)
            if current.version == version:
                return current
        raise UsageError(
            f"there is no version {version!r} of topology {name!r}; available: "
            f"{', '.join(versions) or 'none'}."
            f"{closest(version, versions) if versions else closest(name, self.names())}"
        )

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.yaml"

    def _usable(self, loaded: _Loaded) -> TopologyGraph:
        if loaded.graph is not None:
            return loaded.graph
        assert loaded.error is not None
        raise loaded.error

    def _load_file(self, path: Path, name: str, version: str | None) -> _Loaded:
        """The file's present state; reads and checks it only when it or the policies' names have changed."""
        before = self._loaded.get(path)
        policies = frozenset(self._policies())
        stamp = _stamp(path)
        if before and stamp is not None and before.stamp == stamp and before.policies == policies:
            return before
        try:
            content = read_bytes(path, DagsterPipelineConfigError)
        except DagsterPipelineConfigError as error:
            return self._remember(path, name, before, _Loaded(None, "", policies, None, error))
        sha256 = hashlib.sha256(content).hexdigest()
        if before and before.sha256 == sha256 and before.policies == policies:
            loaded = _Loaded(stamp, sha256, policies, before.graph, before.error)
            self._loaded[path] = loaded
            return loaded
        try:
            graph = self._read(path, name, version, content)
        except DagsterPipelineConfigError as error:
            return self._remember(path, name, before, _Loaded(stamp, sha256, policies, None, error))
        return self._remember(path, name, before, _Loaded(stamp, sha256, policies, graph, None))

    def _remember(self, path: Path, name: str, before: _Loaded | None, now: _Loaded) -> _Loaded:
        """Store the state of the file; after an error the last valid graph stays and it is reported."""
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
                ("name",), f"the file is named {path.name} but the topology {graph.name!r}; use one name."
            )
        if version is not None and graph.version != version:
            raise source.error(
                ("version",),
                f"the file is in {version} but has version {graph.version}; use one version.",
            )
        return graph


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Time stamps, size and inode, which identify an unchanged file; None while it is too new for that."""
    try:
        status = path.stat()
    except OSError:
        return None
    if time.time_ns() - status.st_mtime_ns < SETTLED_NANOSECONDS:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
