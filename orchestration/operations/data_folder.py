"""DataFolder: all operations of one data folder, by subject.

Comes in: the parts that `assembly` puts together, as contracts. Leaves: records and plain JSON values. It
prints nothing, and needs neither the host nor dagster. Operations that import numpy, models or Parquet are
imported when they are first used, so that a command that lists documents starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.contracts import Ledger, SourceRequest
from orchestration.gates.gates import Gates
from orchestration.gates.sweeps import GateSweeps
from orchestration.jobs.submission import Submissions
from orchestration.operations.parts import Parts
from orchestration.records import Document
from orchestration.topology.loader import PipelineLoader

if TYPE_CHECKING:
    from orchestration.collection.chunk_collection import ChunkCollection
    from orchestration.contracts.host import HostStatus
    from orchestration.jobs.reading import Unread
    from orchestration.operations.backup.copies import Copies
    from orchestration.operations.dead_letters import DeadLetters
    from orchestration.operations.documents import Documents
    from orchestration.operations.eval_extract import ExtractionQuestions
    from orchestration.operations.events import Events
    from orchestration.operations.graph import Graph
    from orchestration.operations.graph_projection import GraphProjections
    from orchestration.operations.jobs import Jobs
    from orchestration.operations.reembedding import Reembedded
    from orchestration.operations.searches import Searches
    from orchestration.operations.verification import Allow
    from orchestration.operations.vocabularies import Vocabularies

__all__ = ["DataFolder"]

Notify = Callable[[str], None]
"""Takes one line for the user, e.g. that a command loads models."""


class DataFolder:
    """Operations on one data folder and the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.settings = parts.settings

    @property
    def ledger(self) -> Ledger:
        return self._parts.ledger

    @property
    def submissions(self) -> Submissions:
        return self._parts.submissions

    @property
    def gate_sweeps(self) -> GateSweeps:
        return self._parts.gate_sweeps

    @property
    def gates(self) -> Gates:
        return self._parts.gates

    @property
    def topologies(self) -> PipelineLoader:
        return self._parts.topologies

    # --- by subject ---------------------------------------------------------------------------------

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs: opened, submitted, and their status."""
        from orchestration.operations.jobs import Jobs

        return Jobs(self._parts)

    @cached_property
    def documents(self) -> Documents:
        """Documents: shown, deleted, erased."""
        from orchestration.operations.documents import Documents

        return Documents(self._parts)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Dead letters: listed and replayed."""
        from orchestration.operations.dead_letters import DeadLetters

        return DeadLetters(self._parts)

    @cached_property
    def events(self) -> Events:
        """What happened, and how far the sinks of it are."""
        from orchestration.operations.events import Events

        return Events(self._parts.ledger.outbox)

    @cached_property
    def graph(self) -> Graph:
        """Concepts, claims and their evidence."""
        from orchestration.operations.graph import Graph

        return Graph(self._parts)

    @cached_property
    def vocabularies(self) -> Vocabularies:
        """Vocabularies: added, listed, checked, removed."""
        from orchestration.operations.vocabularies import Vocabularies

        return Vocabularies(self._parts)

    def eval_extract(self, questions: ExtractionQuestions, notify: Notify) -> dict[str, Any]:
        """Measure extractors against gold; raises what `eval_extract` raises."""
        from orchestration.operations.eval_extract import eval_extract

        return eval_extract(self._parts, questions, notify)

    @cached_property
    def graph_projections(self) -> GraphProjections:
        """The graph on a graph server."""
        from orchestration.operations.graph_projection import GraphProjections

        return GraphProjections(self._parts)

    @cached_property
    def searches(self) -> Searches:
        """Searches and their evaluation."""
        from orchestration.operations.searches import Searches

        return Searches(self._parts)

    @cached_property
    def copies(self) -> Copies:
        """Exports, imports, backups and restores."""
        from orchestration.operations.backup.copies import Copies

        return Copies(self._parts)

    def chunk_collection(self, pipeline_name: str, notify: Notify) -> ChunkCollection:
        """The tenant's chunks as one collection, for programs that write chunks; the caller closes it.

        Models are loaded by the first write that needs them. `pipeline_name` is the pipeline that the ledger
        records for what is written.
        """
        from orchestration.operations.chunk_collections import open_chunk_collection

        return open_chunk_collection(self._parts, pipeline_name, notify)

    def read(self, request: SourceRequest) -> Iterator[Document | Unread]:
        """Parse the documents of a source, once each, without writing anything."""
        with self._parts.reader() as reader:
            yield from reader.read(request)

    # --- state and health ---------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Documents, vectors, syncs, jobs, projection and problems of the index, as JSON values."""
        from orchestration.operations.graph_projection import projection_state
        from orchestration.operations.index_problems import index_problems

        projection, problems = projection_state(self._parts)
        return {
            **self.jobs.status(),
            "projection": projection,
            "problems": [*index_problems(self._parts), *problems],
        }

    def degraded(self, host: HostStatus | None) -> list[dict[str, Any]]:
        """What does not work as it should now, with cause and next step, as JSON values; see `degraded`."""
        from orchestration.operations.health.degraded import degraded

        return [each.model_dump() for each in degraded(self._parts, host)]

    def wait_for_stores(self, notify: Notify) -> None:
        """Return when every store answers; raises DagsterResourceUnavailableError for one that does not."""
        from orchestration.operations.store_checks import wait_for_stores

        wait_for_stores(self._parts, notify)

    def verify(self, notify: Notify, allow: Allow | None = None) -> dict[str, Any]:
        """Differences between ledger and stores, as JSON values; with `allow` they are repaired.

        `allow` is given the plan, and returns whether the steps that delete may be done.
        """
        from orchestration.operations.verification import verify

        return verify(self._parts, notify, allow)

    def reembed(self, notify: Notify, *, drop_former: bool) -> Reembedded:
        """Make vectors of the configured model for all tenants, then switch to it; raises what it raises."""
        from orchestration.operations.models import LazyModels
        from orchestration.operations.reembedding import reembed

        with LazyModels(lambda: self._parts.own_models(("dense",))) as models:
            return reembed(self._parts, models, notify, drop_former=drop_former)

    def compact(self) -> int:
        """Build the tenant's vector indexes that are due; returns their number. Takes minutes per million."""
        return self._parts.stores.vectors.compact(self.settings.tenant)

    def describe_profile(self) -> str:
        """One line on the profile's models and devices; raises GpuUnavailableError without its device."""
        devices = self._parts.devices()
        models = " and ".join(filter(None, [*self._parts.model_ids().values(), *self._other_models()]))
        cluster = f"Ray cluster {self.settings.ray_address}" if self.settings.ray_address else "the CPU"
        where = ", ".join(device["name"] for device in devices) or cluster
        reason = self._parts.sparse_off()
        without = f", without a sparse leg ({reason})" if reason else ""
        return (
            f"profile {self.settings.profile}: {models} on {where}{without}; data in {self.settings.data_dir}"
        )

    def model_ids(self) -> Mapping[str, str]:
        """Configured models by leg."""
        return self._parts.model_ids()

    def _other_models(self) -> list[str | None]:
        """Of the models that make no index entry."""
        return [self.rerank_model(), self.extraction_model()]

    def extraction_model(self) -> str | None:
        """Id of the model of the extractor `encoder`; None: it extracts nothing."""
        return self._parts.extraction_model()

    def rerank_model(self) -> str | None:
        """The configured cross-encoder; None if there is none."""
        return self._parts.rerank_model()

    def doctor(self) -> dict[str, Any]:
        """Checks of machine, data folder, topologies, models and devices; plugins and GPUs. JSON values."""
        from orchestration.operations.doctor import Doctor

        doctor = Doctor(self._parts)
        return {"checks": doctor.checks(), "plugins": doctor.plugins(), "gpus": self._parts.gpus()}
