"""The checks of `medkg doctor`: is this machine, this data folder and what is installed fit for work?

Comes in: the parts of a data folder. Leaves: one answer per check, with what is wrong and its exit code, and
the list of installed plugins.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from orchestration.disk_space import is_full
from orchestration.errors import (
    ConfigurationError,
    HostUnavailableError,
    MedkgError,
    StoreCorruptError,
    StoreUnwritableError,
)
from orchestration.jobs.host_client import HostClient
from orchestration.jobs.schedules import read_schedules
from orchestration.operations.index_problems import lost_entries, lost_vectors, other_encoders
from orchestration.operations.store_checks import ask_store
from orchestration.plugins.entry_points import GROUPS, installed_plugins
from orchestration.settings import describe_unknown, unknown_variables
from orchestration.tracing import tracing_problem, wants_traces

if TYPE_CHECKING:
    from orchestration.operations.parts import Parts

__all__ = ["Doctor"]

LEAST_FREE_BYTES: Final = 1_000_000_000
LEAST_TEMPORARY_BYTES: Final = 100_000_000
"""For Ray's files and those of parsers, in the temporary folder."""
HOST_SECONDS: Final = 20.0
"""How long the host may take to ask all of its processes."""


class Doctor:
    """Looks at one data folder; changes nothing in it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._plugins = installed_plugins()

    def plugins(self) -> list[dict[str, Any]]:
        """Installed plugins as JSON values; `problem` says why one cannot be used, else it is None."""
        return [
            {
                "group": plugin.group,
                "name": plugin.name,
                "distribution": plugin.distribution,
                "class": plugin.value,
                "ok": plugin.problem is None,
                "problem": plugin.problem.message if plugin.problem else None,
            }
            for plugin in self._plugins
        ]

    def checks(self) -> list[dict[str, Any]]:
        """All of them, in the order in which to repair what is wrong."""
        checks: Mapping[str, Callable[[], str]] = {
            "data folder can be written": self._check_folder,
            "MEDKG_ variables are settings": _check_variables,
            "traces": _check_traces,
            "plugins load": self._check_plugins,
            **self._store_checks(),
            "graph server takes the graph": self._check_graph_server,
            "topologies are valid": self._check_topologies,
            "schedules are valid": self._check_schedules,
            "vocabularies open": self._check_vocabularies,
            "models are installed": lambda: ", ".join(self._parts.model_ids().values()),
            "documents are of these models": lambda: self._check_index(self._check_encoders),
            "chunks are whole": lambda: self._check_index(partial(_check_lost, lost_entries, self._parts)),
            "vectors are whole": lambda: self._check_index(partial(_check_lost, lost_vectors, self._parts)),
            "devices of the profile": self._check_devices,
            "host and its processes": self._check_host,
            "free disk space": self._check_space,
        }
        return [_checked(name, check) for name, check in checks.items()]

    def _check_vocabularies(self) -> str:
        folder = self._parts.vocabularies
        described = []
        for name in folder.names():
            index = folder.open(name)
            described.append(f"{name} {index.about.version} ({index.about.names:,} names)")
            index.close()
        return ", ".join(described) or "none; mentions are linked by the shipped lexicons alone"

    def _check_devices(self) -> str:
        devices = self._parts.devices()
        return (
            ", ".join(device["name"] for device in devices) or f"{self._parts.settings.profile} needs no GPU"
        )

    def _check_folder(self) -> str:
        try:
            self._parts.settings.data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._parts.settings.data_dir):
                return str(self._parts.settings.data_dir)
        except OSError as error:
            raise StoreUnwritableError(
                f"{self._parts.settings.data_dir}: {error.strerror}. Choose another --data-dir."
            ) from error

    def _check_plugins(self) -> str:
        problems = list(dict.fromkeys(plugin.problem.message for plugin in self._plugins if plugin.problem))
        if problems:
            raise ConfigurationError(" ".join(problems))
        return f"{len(self._plugins)} in {len(GROUPS)} groups"

    def _store_checks(self) -> dict[str, Callable[[], str]]:
        return {
            "ledger opens" if name == "ledger" else f"{name} answers": partial(ask_store, name, question)
            for name, question in self._parts.store_questions().items()
        }

    def _check_graph_server(self) -> str:
        """Version of the server; raises its error, and that of the process which projects to it."""
        projection = self._parts.projection
        if projection is None:
            return "none is set"
        version = projection.ask()
        problem = projection.problem(self._parts.settings.tenant)
        if problem is not None:
            raise problem
        return version

    def _check_index(self, check: Callable[[], None]) -> str:
        """The number of documents in the index; raises what the check raises, and the error of a store."""

        def ask() -> str:
            check()
            counts = self._parts.ledger.commits.counts_by_intent(self._parts.settings.tenant)
            return f"{sum(count.documents for count in counts)} documents"

        return ask_store("search store and vector store", ask)

    def _check_encoders(self) -> None:
        if lines := other_encoders(self._parts, self._parts.model_ids()):
            raise ConfigurationError(". ".join(lines) + ".")

    def _check_host(self) -> str:
        host = HostClient(self._parts.settings, {"status": HOST_SECONDS})
        if not host.is_running():
            return "no host runs"
        status = host.status(with_health=True)
        if problems := status.problems():
            raise HostUnavailableError("; ".join(problems))
        return f"host {status.pid}, {len(status.children)} processes"

    def _check_topologies(self) -> str:
        for problem in self._parts.topologies.problems().values():
            raise problem.error
        return ", ".join(self._parts.topologies.names())

    def _check_schedules(self) -> str:
        topologies = self._parts.topologies.valid_names()
        schedules = read_schedules(
            self._parts.settings.schedules_folder, topologies, self._parts.submissions.sources
        )
        for problem in schedules.problems.values():
            raise problem
        return ", ".join(schedules.valid) or f"none in {self._parts.settings.schedules_folder}"

    def _check_space(self) -> str:
        data, temporary = str(self._parts.settings.data_dir), tempfile.gettempdir()
        _check_free(temporary, LEAST_TEMPORARY_BYTES)
        return f"{_check_free(data, LEAST_FREE_BYTES) / 1e9:.0f} GB"


def _check_variables() -> str:
    if unknown := unknown_variables(os.environ):
        raise ConfigurationError(describe_unknown(unknown))
    return "none is unknown"


def _check_traces() -> str:
    problem = tracing_problem()
    if problem is not None:
        raise ConfigurationError(problem)
    return "sent" if wants_traces() else "off"


def _check_lost(lost: Callable[[Parts], list[str]], parts: Parts) -> None:
    if lines := lost(parts):
        raise StoreCorruptError(". ".join(lines) + ".")


def _check_free(folder: str, least: int) -> int:
    """Free bytes of the folder's disk; raises StoreUnwritableError for fewer than `least`, or no inodes."""
    free = shutil.disk_usage(folder).free
    if free < least or is_full(folder):
        raise StoreUnwritableError(
            f"only {free / 1e9:.1f} GB, or no inodes, are free on the disk of {folder}; free some first."
        )
    return free


def _checked(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"check": name, "ok": True, "detail": check(), "exit_code": 0}
    except MedkgError as error:
        return {"check": name, "ok": False, "detail": error.message, "exit_code": error.exit_code}
