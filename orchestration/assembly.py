"""The only module that names implementations: it puts the rooms together, for commands, host and workers.

Comes in: settings. Leaves: an `Assembly`, whose parts are made when they are first asked for, so a command
that lists documents imports neither stages nor models.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.contracts import (
    Isolation,
    ObjectStore,
    Parser,
    Plane,
    Source,
    TextModels,
    VectorStore,
    WebClient,
    lift,
)
from orchestration.control_plane import ControlPlane
from orchestration.errors import ConfigurationError
from orchestration.isolated_stage import installed_parsers, isolated_stage
from orchestration.jobs.host_client import HostClient
from orchestration.jobs.submission import Submissions, Topology
from orchestration.ledger import Ledger, open_ledger
from orchestration.parts import Stores
from orchestration.plugins import load_plugins, plugin_names
from orchestration.portability.unfinished import check_restored
from orchestration.settings import Settings
from orchestration.topology.loader import PipelineLoader
from topologies import shipped_folder

if TYPE_CHECKING:
    from gpu_actors.plane import Profile, RayPlane
    from orchestration.jobs.reading import DocumentReader
    from orchestration.jobs.window_runs import WindowRuns
    from orchestration.resilience.caller import GuardedCaller
    from orchestration.resilience.isolation import StageHandle
    from orchestration.stores.dual_write import DualWrite
    from orchestration.stores.opensearch.connection import Connection
    from orchestration.topology.graph import StageNode, TopologyGraph

__all__ = ["Assembly", "open_control_plane"]

PARSE_WORKERS = 1
"""Processes for isolated stages, of each window worker."""


@contextmanager
def open_control_plane(settings: Settings, *, restoring: bool = False) -> Iterator[ControlPlane]:
    """What commands use; closes its databases at the end.

    Raises ConfigurationError for a folder that is incomplete, unless it is to be restored.
    """
    if not restoring:
        check_restored(settings.data_dir)
    assembly = Assembly(settings)
    try:
        yield ControlPlane(assembly)
    finally:
        assembly.close()


class Assembly:
    """The parts of one data folder, each made once, when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._started_plane: RayPlane | None = None
        self._handles: dict[tuple[str, str, str], StageHandle] = {}

    def close(self) -> None:
        """Close what was opened."""
        parts = vars(self)
        for name in ("stage_caller", "web", "ledger", "search_store", "document_store", "opensearch"):
            if name in parts:
                parts[name].close()
        if self._started_plane is not None:
            self._started_plane.close()

    # --- plugins, topologies, ledger ----------------------------------------------------------------

    @cached_property
    def stages(self) -> Mapping[str, type]:
        return load_plugins("medkg.stages")

    @cached_property
    def parsers(self) -> Mapping[str, Parser]:
        return installed_parsers()

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        from orchestration.sources.making import SourceMaker
        from orchestration.sources.services import SourceServices

        services = SourceServices(lambda: self.web, self.settings)
        return SourceMaker(self.parsers, lambda: self.objects, services).sources(
            load_plugins("medkg.sources")
        )

    @cached_property
    def web(self) -> WebClient:
        """Web services, each at the rate of its policy for all processes of this folder."""
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.host_turns import HostTurns
        from orchestration.web.client import PoliteWebClient, user_agent

        settings = self.settings
        guards = Guards(
            self.policies.load,
            settings.unavailable_seconds,
            limiter=lambda host, limit: HostTurns(settings.host_turns_dir, host, limit),
        )
        agent = user_agent(version("medkg"), settings.contact)
        return PoliteWebClient(partial(guards.guard, "web"), agent, settings.private_hosts)

    @cached_property
    def topologies(self) -> PipelineLoader:
        return PipelineLoader(
            self.settings.topologies_dir or shipped_folder(),
            lambda: plugin_names("medkg.stages"),
            self.policies.names,
        )

    @cached_property
    def policies(self) -> Any:
        from orchestration.resilience.policies import ResiliencePolicyLoader

        folder = self.settings.topologies_dir or shipped_folder()
        return ResiliencePolicyLoader(folder)

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings.ledger_url, self.settings.lease_seconds)

    @cached_property
    def submissions(self) -> Submissions:
        return Submissions(self.ledger, self.sources, self.fingerprint, self.settings.window_workers)

    def topology_of(self, name: str, version: str) -> TopologyGraph:
        """The topology that a submission was made with: the current one, or its dated version."""
        current = self.topologies.load(name)
        return current if current.version == version else self.topologies.load(f"{name}@{version}")

    def fingerprints(self, pipeline: str, dense_model: str) -> dict[str, str]:
        """What a document of each format would have as its fingerprint under that dense model."""
        graph = self.topologies.load(pipeline)
        models = {**self.model_ids(), "dense": dense_model}
        return {name: self._fingerprint(graph, name, models) for name in self.parsers}

    def fingerprint(self, topology: Topology, document_format: str) -> str:
        """sha256 over everything that shapes a document's index entries, apart from its content.

        Topology, stage versions, the parser of its format alone, the chunker and the models.
        """
        graph = self.topology_of(topology.name, topology.version)
        return self._fingerprint(graph, document_format, self.model_ids())

    def _fingerprint(self, graph: TopologyGraph, document_format: str, models: Mapping[str, str]) -> str:
        from gpu_actors import plane

        parser = self.parsers.get(document_format)
        shaping = {
            "topology": [graph.name, graph.version, graph.shape_hash],
            "stages": {
                node.name: str(getattr(self.stages[node.stage_type], "version", "")) for node in graph.nodes
            },
            "parser": [document_format, parser.version if parser else ""],
            "plane": plane.component_versions(),
            "models": dict(models),
        }
        return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()

    def watched_folders(self) -> list[Path]:
        """Code and topologies; when a file in them changes, window workers start anew."""
        code = Path(__file__).parent
        return [code, code.parent / "gpu_actors", self.settings.topologies_dir or shipped_folder()]

    # --- stores and search --------------------------------------------------------------------------

    @cached_property
    def opensearch(self) -> Connection:
        """The cluster; raises ConfigurationError when none is named."""
        from orchestration.stores.opensearch.connection import Connection

        if self.settings.opensearch_url is None:
            raise ConfigurationError(
                "a store is to be on OpenSearch, and no server is named. Set MEDKG_OPENSEARCH_URL to "
                "http(s)://[USER:PASSWORD@]HOST:PORT."
            )
        return Connection(self.settings.opensearch_url)

    @cached_property
    def search_store(self) -> Any:
        if self.settings.search_store == "opensearch":
            from orchestration.stores.opensearch.search import OpenSearchSearch
            from orchestration.stores.opensearch.synonyms import read_synonyms

            synonyms = read_synonyms(self.settings.opensearch_synonyms)
            return OpenSearchSearch(
                self.opensearch,
                self.settings.opensearch_prefix,
                synonyms,
                self.settings.opensearch_shards,
                self.settings.opensearch_replicas,
            )
        from orchestration.stores.sqlite.search import SqliteSearch

        return SqliteSearch(self.settings.search_dir)

    @cached_property
    def vector_store(self) -> VectorStore:
        if self.settings.vector_store == "opensearch":
            from orchestration.stores.opensearch.vectors import OpenSearchVectors

            return OpenSearchVectors(
                self.opensearch,
                self.settings.opensearch_prefix,
                self.settings.opensearch_shards,
                self.settings.opensearch_replicas,
            )
        if self.settings.objects_on_s3:
            from orchestration.stores.faiss.object_vectors import ObjectVectors

            return ObjectVectors(self.objects, self.settings.vectors_cache)
        from orchestration.stores.faiss.vectors import FaissVectors

        return FaissVectors(self.settings.vectors_dir)

    @cached_property
    def document_store(self) -> Any:
        if self.settings.objects_on_s3:
            from orchestration.stores.objects.documents import ObjectDocuments

            return ObjectDocuments(self.objects)
        from orchestration.stores.sqlite.documents import SqliteDocuments

        return SqliteDocuments(self.settings.documents_path)

    @cached_property
    def objects(self) -> ObjectStore:
        """Where artifacts are; and on S3 vectors, documents and run output."""
        from orchestration.stores.objects.opened import open_objects

        return open_objects(self.settings.objects_url)

    @cached_property
    def stores(self) -> Stores:
        from orchestration.stores.kept import check_stores

        settings = self.settings
        chosen: dict[str, str] = {
            "MEDKG_SEARCH_STORE": settings.search_store,
            "MEDKG_VECTOR_STORE": settings.vector_store,
        }
        if "opensearch" in chosen.values():
            chosen["MEDKG_OPENSEARCH_PREFIX"] = settings.opensearch_prefix
        if settings.objects_url != settings.data_dir.as_uri():
            chosen["MEDKG_OBJECTS_URL"] = settings.objects_url
        check_stores(settings.data_dir, chosen)
        return Stores(self.search_store, self.vector_store, self.document_store)

    @cached_property
    def index(self) -> DualWrite:
        from orchestration.stores.dual_write import DualWrite

        return DualWrite(self.ledger, self.stores.search, self.stores.vectors, self.stores.documents)

    @cached_property
    def profile(self) -> Profile:
        """What the plane is made of; raises ConfigurationError for a model that is not there."""
        from gpu_actors import plane

        settings = self.settings
        return plane.chosen_profile(
            settings.profile,
            settings.embedding_model,
            settings.sparse_model,
            settings.engine,
            settings.vllm_command,
            settings.replicas,
            settings.embedding_dimensions,
            settings.rerank_model,
        )

    def models(self, legs: Collection[str], say: Callable[[str], None]) -> TextModels:
        """The running plane's models, else this process's own; those of the legs are loaded here and now."""
        host = HostClient(self.settings)
        if host.is_running() and host.status().plane == "ready":
            return host
        say("no plane runs: loading the models for this command (`medkg up` keeps them loaded)")
        return self.own_models(legs)

    def own_models(self, legs: Collection[str]) -> TextModels:
        """Models of the settings in this process, whatever a plane runs; those of the legs are loaded."""
        from orchestration.plane_clients import OwnModels

        return OwnModels(self.profile, legs)

    def devices(self) -> Sequence[Mapping[str, Any]]:
        """The profile's GPUs here; raises GpuUnavailableError when it needs one and none is fit.

        On a cluster they are other machines', which look when a model loads.
        """
        from gpu_actors import plane

        return [] if self.settings.ray_address else plane.check_devices(self.profile)

    def gpus(self) -> Sequence[Mapping[str, Any]]:
        """The GPUs of this machine, whatever the profile."""
        from gpu_actors import plane

        return plane.gpus()

    def model_ids(self) -> Mapping[str, str]:
        """The profile's models by leg."""
        from gpu_actors import plane

        return plane.model_ids(self.profile)

    def rerank_model(self) -> str | None:
        """Id of the profile's cross-encoder; None: nothing is reranked."""
        from gpu_actors import plane

        return plane.rerank_model_id(self.profile)

    def sparse_off(self) -> str | None:
        """Why the profile has no sparse leg; None if it has one."""
        return self.profile.sparse_off

    # --- reading alone ------------------------------------------------------------------------------

    @contextmanager
    def reader(self) -> Iterator[DocumentReader]:
        """Documents without ledger, stores and plane; the processes that parse end with it."""
        from orchestration.jobs.reading import INGEST, PARSE, DocumentReader
        from orchestration.resilience.caller import GuardedCaller
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.isolation import IsolatedExecution, StageHandle
        from orchestration.stages.ingest import Ingest

        handles = {
            INGEST: StageHandle(INGEST.name, Isolation.INLINE, stage=Ingest(self.sources)),
            PARSE: StageHandle(
                PARSE.name, Isolation.PROCESS, factory=partial(isolated_stage, PARSE.name, {})
            ),
        }
        guards = Guards(self.policies.load, self.settings.unavailable_seconds)
        with GuardedCaller(handles.__getitem__, guards, IsolatedExecution(PARSE_WORKERS)) as caller:
            yield DocumentReader(self.sources, caller, self.settings.tenant)

    # --- the host's side ----------------------------------------------------------------------------

    def start_plane(self, folder: Path, dashboard: bool) -> RayPlane:
        """Start the plane in this process; main thread only."""
        from gpu_actors.plane import start_plane

        self._started_plane = start_plane(
            self.profile, address=self.settings.ray_address, folder=folder, dashboard=dashboard
        )
        return self._started_plane

    def swap_models(self, settings: Settings) -> tuple[RayPlane, Callable[[], None]]:
        """Load the models of other settings beside the plane's; the new plane, and what ends the old one.

        Raises what keeps them from loading, and then nothing has changed. The same profile only.
        """
        former = self._started_plane
        assert former is not None
        successor = former.beside(Assembly(settings).profile)
        self.settings, self._started_plane = settings, successor
        vars(self).pop("profile", None)
        return successor, lambda: former.retire(successor)

    # --- a window worker's side ---------------------------------------------------------------------

    @cached_property
    def plane(self) -> Plane:
        from orchestration.plane_clients import AttachedPlane

        return AttachedPlane(self.settings, self.profile)

    def warm_up(self) -> None:
        """Have at hand what the first window needs: stages, their worker processes, the plane's client.

        Returns before all of it is there.
        """
        threading.Thread(target=import_module, args=("gpu_actors.pool",), name="warm-up", daemon=True).start()
        for name in self.topologies.valid_names():
            for node in self.topologies.load(name).nodes:
                self.stage_caller.warm_up(node)

    @cached_property
    def stage_caller(self) -> GuardedCaller:
        from orchestration.resilience.caller import GuardedCaller
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.isolation import IsolatedExecution

        guards = Guards(self.policies.load, self.settings.unavailable_seconds)
        return GuardedCaller(self._handle, guards, IsolatedExecution(PARSE_WORKERS))

    @cached_property
    def window_runs(self) -> WindowRuns:
        from orchestration.jobs.window_runs import WindowRuns
        from orchestration.processes.child_process import own_identity
        from orchestration.runner import StageRunner

        owner = own_identity()
        runner = StageRunner(self.ledger, self.stage_caller, self.plane, owner, self.settings.lease_seconds)
        return WindowRuns(
            self.settings,
            self.ledger,
            self.submissions,
            self.topologies.load,
            self.fingerprint,
            runner,
            self.index,
            owner,
        )

    def _handle(self, node: StageNode) -> StageHandle:
        """The stage of a node, made once for each configuration."""
        key = (node.pipeline, node.name, json.dumps(dict(node.config), sort_keys=True, default=str))
        if key not in self._handles:
            self._handles[key] = self._made(node)
        return self._handles[key]

    def _made(self, node: StageNode) -> StageHandle:
        from orchestration.resilience.isolation import StageHandle

        kind = self.stages[node.stage_type]
        isolation = getattr(kind, "isolation", Isolation.PROCESS)
        if isolation is Isolation.PROCESS:
            factory = partial(isolated_stage, node.stage_type, dict(node.config))
            return StageHandle(node.name, isolation, factory=factory)
        return StageHandle(node.name, isolation, stage=lift(self._in_this_process(kind, node)))

    def _in_this_process(self, kind: Any, node: StageNode) -> Any:
        from orchestration.processes.child_process import own_identity
        from orchestration.stages.services import StageServices

        if not hasattr(kind, "from_services"):
            return kind(**node.config)
        services = StageServices(
            plane=self.plane,
            sources=self.sources,
            documents=self.stores.documents,
            index=self.index,
            owner=own_identity(),
            timeout_seconds=self.policies.load(node.policy).timeout_seconds,
        )
        return kind.from_services(node.config, services)
