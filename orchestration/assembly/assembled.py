"""A data folder, assembled: topologies, models, the host's side and a worker's, over stores and ways in.

Comes in: settings. Leaves: an `Assembly`, and the control plane over one, which commands use.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.assembly.extraction import AssembledExtraction
from orchestration.assembly.lost_ledger import check_ledger
from orchestration.contracts import (
    Commit,
    Extraction,
    Isolation,
    Outcome,
    lift,
)
from orchestration.errors import MedkgError
from orchestration.gates.gates import Gates
from orchestration.gates.sweeps import GateSweeps
from orchestration.jobs.submission import Submissions, Topology
from orchestration.operations.backup.restore_marker import check_restored
from orchestration.operations.data_folder import DataFolder
from orchestration.operations.parts import ChunkByTopology
from orchestration.plugins.entry_points import load_plugins, plugin_names
from orchestration.plugins.isolated_stage import isolated_stage
from orchestration.records import Document, Fingerprints, Float32Matrix
from orchestration.runs.gate_payloads import GatePayloads
from orchestration.settings import Settings
from orchestration.topology.loader import PipelineLoader
from orchestration.topology.shipped import shipped_folder

if TYPE_CHECKING:
    from gpu_actors.plane import RayPlane
    from orchestration.assembly.fingerprints import Shaping
    from orchestration.gates.pdf_conversions import PdfConversions
    from orchestration.jobs.reading import DocumentReader
    from orchestration.resilience.caller import GuardedCaller
    from orchestration.resilience.isolation import StageHandle
    from orchestration.runs.dropped_counts import DroppedCounts
    from orchestration.runs.window_runs import WindowRuns
    from orchestration.stores.verify import Verification
    from orchestration.topology.graph import StageNode, TopologyGraph

__all__ = ["Assembly", "open_data_folder"]

PARSE_WORKERS = 1
"""Processes for isolated stages, of each window worker."""


@contextmanager
def open_data_folder(
    settings: Settings, *, restoring: bool = False, unchecked: bool = False
) -> Iterator[DataFolder]:
    """What commands use; closes its databases at the end.

    Raises ConfigurationError for a folder that is incomplete, unless it is to be restored. Raises
    LedgerLostError for one whose empty ledger does not know what its stores hold, unless it is `unchecked`:
    for commands that repair the ledger, check it themselves or do not use it. A new folder is not created.
    """
    if not restoring:
        check_restored(settings.data_dir)
    assembly = Assembly(settings)
    try:
        if not (restoring or unchecked):
            check_ledger(assembly)
        yield DataFolder(assembly)
    finally:
        assembly.close()


class Assembly(AssembledExtraction):
    """The parts of one data folder, each made once, when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._started_plane: RayPlane | None = None
        self._handles: dict[tuple[str, str, str], StageHandle] = {}

    def close(self) -> None:
        """Close what was opened."""
        parts = vars(self)
        opened = (
            "stage_caller",
            "web",
            "observed_facts",
            "ledger",
            "search_store",
            "document_store",
            "opensearch",
        )
        for name in opened:
            if name in parts:
                parts[name].close()
        if self._started_plane is not None:
            self._started_plane.close()

    # --- plugins, topologies, ledger ----------------------------------------------------------------

    @cached_property
    def stages(self) -> Mapping[str, type]:
        return load_plugins("medkg.stages")

    @cached_property
    def verification(self) -> Verification:
        """The comparison of the data folder's stores."""
        from orchestration.processes.child_process import is_alive
        from orchestration.stores.verify import Verification

        ledger, stores = self.ledger, self.stores
        return Verification(
            ledger.commits,
            stores.search,
            stores.vectors,
            stores.documents,
            ledger.graph,
            is_alive,
            self.expects_graph,
        )

    def expects_graph(self, commit: Commit) -> bool:
        """Whether a commit without mentions and claims has lost them.

        Only one that was made again from the stores, which know nothing of its graph: what a run committed
        without them is due for the next run.
        """
        name = commit.pipeline
        if commit.parse_fingerprint is not None or name not in self.topologies.valid_names():
            return False
        if not self.topologies.load(name).fills_graph:
            return False
        try:
            now = self.fingerprints(name, commit.namespace).values()
            return commit.fingerprint in {fingerprints.index for fingerprints in now}
        except MedkgError:  # its models or parsers are not there: nothing would be processed
            return False

    def extract(self, pipeline: str, documents: Sequence[Document]) -> Sequence[Outcome[Extraction]]:
        """Mentions and claims of documents, in this process, as the named topology extracts them."""
        from orchestration.assembly.extracting_again import extract_again

        return extract_again(self.topologies.load, self.extract_stage, pipeline, documents)

    @cached_property
    def topologies(self) -> PipelineLoader:
        return PipelineLoader(
            self.settings.topologies_dir or shipped_folder(),
            lambda: plugin_names("medkg.stages"),
            self.policies.names,
        )

    @cached_property
    def submissions(self) -> Submissions:
        return Submissions(self.ledger, self.sources, self.fingerprints_of, self.settings.window_workers)

    def pdf_conversions(self) -> PdfConversions:
        """What drives conversions of PDFs; the host's."""
        from orchestration.assembly.conversions import conversion_driver
        from orchestration.gates.pdf_conversions import PdfConversions

        return PdfConversions(self.ledger.pdf_tasks, conversion_driver(self))

    @cached_property
    def gates(self) -> Gates:
        return Gates(self.ledger.gates, self.topology_of)

    @cached_property
    def gate_sweeps(self) -> GateSweeps:
        return GateSweeps(self.ledger.gates, self.topology_of)

    @cached_property
    def gate_payloads(self) -> GatePayloads:
        return GatePayloads(self.objects)

    def topology_of(self, name: str, version: str) -> TopologyGraph:
        """The topology that a submission was made with: the current one, or its dated version."""
        current = self.topologies.load(name)
        return current if current.version == version else self.topologies.load(f"{name}@{version}")

    def fingerprints(self, pipeline: str, dense_model: str) -> dict[str, Fingerprints]:
        """What a document of each format would have as its fingerprints under that dense model."""
        shaping = self._shaping(self.topologies.load(pipeline), {**self.model_ids(), "dense": dense_model})
        return {name: shaping.fingerprints(name) for name in self.parsers}

    def graph_fingerprint(self, pipeline: str, parse: str) -> str | None:
        """That of mentions and claims which are made now of a document parsed under this fingerprint."""
        return self._shaping(self.topologies.load(pipeline), {}).graph_fingerprint(parse)

    def fingerprints_of(self, topology: Topology, document_format: str) -> Fingerprints:
        """What shapes a document apart from its content: by the parser of its format alone, the steps, the
        chunker, the models, the extractors."""
        graph = self.topology_of(topology.name, topology.version)
        return self._shaping(graph, self.model_ids()).fingerprints(document_format)

    def _shaping(self, graph: TopologyGraph, models: Mapping[str, str]) -> Shaping:
        from gpu_actors import plane
        from orchestration.assembly.fingerprints import Shaping

        extraction = self.graph_shape(graph)
        versions = plane.component_versions()
        return Shaping(graph, self.stages, self.parsers, versions, models, extraction)

    def watched_folders(self) -> list[Path]:
        """Code and topologies; when a file in them changes, window workers start again."""
        code = Path(__file__).parent.parent
        return [code, code.parent / "gpu_actors", self.settings.topologies_dir or shipped_folder()]

    # --- models and search ---------------------------------------------------------------------------

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

    def chunker(self, embed: Callable[[Sequence[str]], Float32Matrix]) -> ChunkByTopology:
        """What cuts documents as topologies do it, in this process; loads its tokenizer once."""
        from orchestration.assembly.chunking_again import TopologyChunker

        return TopologyChunker(self.topologies.load, lambda: self.profile, embed)

    # --- reading alone ------------------------------------------------------------------------------

    @contextmanager
    def reader(self) -> Iterator[DocumentReader]:
        """Documents without ledger, stores and plane; the processes that parse end with it."""
        from orchestration.jobs.reading import INGEST, PARSE, DocumentReader
        from orchestration.resilience.caller import GuardedCaller
        from orchestration.resilience.decision_log import log_decision
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.isolation import IsolatedExecution, StageHandle
        from orchestration.stages.ingest import Ingest

        handles = {
            INGEST: StageHandle(INGEST.name, Isolation.INLINE, stage=Ingest(self.sources)),
            PARSE: StageHandle(
                PARSE.name, Isolation.PROCESS, factory=partial(isolated_stage, PARSE.name, {})
            ),
        }
        guards = Guards(self.policies.load, self.settings.unavailable_seconds, (log_decision,))
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
        previous = self._started_plane
        assert previous is not None
        successor = previous.beside(Assembly(settings).profile)
        self.settings, self._started_plane = settings, successor
        vars(self).pop("profile", None)
        return successor, lambda: previous.retire(successor)

    # --- a window worker's side ---------------------------------------------------------------------

    def warm_up(self) -> None:
        """Have at hand what the first window needs: stages, their worker processes, the plane's client.

        Returns before all of it is there.
        """
        threading.Thread(
            target=import_module, args=("gpu_actors.pools.pool",), name="warm-up", daemon=True
        ).start()
        for name in self.topologies.valid_names():
            for node in self.topologies.load(name).nodes:
                self.stage_caller.warm_up(node)

    @cached_property
    def stage_caller(self) -> GuardedCaller:
        from orchestration.resilience.caller import GuardedCaller
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.isolation import IsolatedExecution

        guards = Guards(self.policies.load, self.settings.unavailable_seconds, self.guard_observers)
        return GuardedCaller(self._handle, guards, IsolatedExecution(PARSE_WORKERS))

    @cached_property
    def dropped(self) -> DroppedCounts:
        """What the extract stages of this process drop."""
        from orchestration.runs.dropped_counts import DroppedCounts

        return DroppedCounts()

    @cached_property
    def window_runs(self) -> WindowRuns:
        from orchestration.jobs.mirroring import remove_gone
        from orchestration.processes.child_process import own_identity
        from orchestration.runs.stage_runner import StageRunner
        from orchestration.runs.window_runs import WindowRuns

        owner = own_identity()
        runner = StageRunner(
            self.ledger.windows,
            self.ledger.outcomes,
            self.stage_caller,
            self.plane,
            owner,
            self.settings.lease_seconds,
            self.dropped,
            self.stage_resources,
        )
        return WindowRuns(
            self.settings,
            self.ledger,
            self.submissions,
            self.topologies.load,
            self.fingerprints_of,
            runner,
            self.index,
            self.graph_writer,
            self.stores.documents,
            self.gate_payloads,
            lambda plan: remove_gone(self.ledger, self.index, self.stores.documents, plan),
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
        from orchestration.stages.services import DownloadLimits, StageServices

        if not hasattr(kind, "from_services"):
            return kind(**node.config)
        seconds = self.policies.load(node.policy).timeout_seconds
        services = StageServices(
            plane=self.plane,
            sources=self.sources,
            documents=self.stores.documents,
            index=self.index,
            graph=self.graph_writer,
            extractors=self.extractors_within(seconds, self.plane),
            linker=self.linker,
            check_extraction=self.check_extraction,
            note_dropped=self.dropped.note,
            objects=self.objects,
            pdf_tasks=self.ledger.pdf_tasks,
            pdf_converter=self.pdf_converter,
            web=lambda: self.web,
            downloads=DownloadLimits(
                self.settings.downloads_dir,
                self.settings.max_document_bytes,
                self.settings.download_seconds,
                self.settings.download_hosts,
            ),
            parsers=self.parsers,
            stage_name=node.name,
            owner=own_identity(),
            timeout_seconds=seconds,
        )
        return kind.from_services(node.config, services)
