"""RunEvents: changes of runs as OpenLineage events, with their facets and datasets.

Comes in: changes. Leaves: events of openlineage-python, one per change. They name no document; counts and
error codes stand for those that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, TypeAlias

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, set_producer
from openlineage.client.event_v2 import RunState as EventType
from openlineage.client.facet_v2 import (
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_run,
)

from orchestration.contracts.jobs import StageReport
from orchestration.lineage.datasets import Places, dataset_columns
from orchestration.lineage.facets import (
    DocumentCountsFacet,
    GpuReading,
    GPUUtilizationFacet,
    ModelVersionFacet,
    NamedModel,
    RetryAttemptFacet,
)
from orchestration.lineage.runs import DatasetName, Level, RunChange, RunState

__all__ = ["PRODUCER", "RunEvents", "StageKinds"]

StageKinds: TypeAlias = Callable[[str, str, str], tuple[str | None, str] | None]
"""What a stage of a pipeline and version takes and gives; None where its topology is unknown."""

PRODUCER: Final = f"https://medicalkg.org/medkg/{version('medkg')}"
"""The code that sends the events."""

STORED: Final[Mapping[str, tuple[str, ...]]] = {
    "index_receipt": ("search_index", "vectors"),
    "graph_receipt": ("mentions", "claims"),
}
"""Stores that a stage with this output writes to."""


class RunEvents:
    """Makes events of changes."""

    def __init__(self, namespace: str, places: Places, kinds: StageKinds) -> None:
        """`namespace` is that of the jobs. Names medkg as the producer of all events of this process."""
        set_producer(PRODUCER)
        self._namespace = namespace
        self._places = places
        self._kinds = kinds

    def event(self, change: RunChange) -> RunEvent:
        """The event of one change."""
        inputs, outputs = self._datasets(change)
        return RunEvent(
            eventTime=datetime.fromtimestamp(change.at, UTC).isoformat(timespec="milliseconds"),
            eventType=EventType[change.state.value],
            run=Run(runId=change.run_id, facets=self._run_facets(change)),
            job=Job(
                namespace=self._namespace,
                name=_job_name(change.level, change.pipeline, change.stage),
                facets={
                    "jobType": job_type_job.JobTypeJobFacet(
                        processingType="BATCH",
                        integration="MEDKG",
                        jobType=change.level.name,
                    )
                },
            ),
            inputs=inputs,
            outputs=outputs,
        )

    # --- facets -------------------------------------------------------------------------------------

    def _run_facets(self, change: RunChange) -> dict[str, Any]:
        facets: dict[str, Any] = {"tags": _tags(change)}
        if change.state is RunState.START:
            facets["processing_engine"] = processing_engine_run.ProcessingEngineRunFacet(
                version=version("medkg"),
                name="medkg",
            )
        if change.parent_run_id is not None:
            facets["parent"] = self._parent(change)
        if change.error is not None:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=change.error,
                programmingLanguage="PYTHON",
            )
        if change.counts is not None and change.state is not RunState.START:
            counts = change.counts
            facets["medkg_documentCounts"] = DocumentCountsFacet(
                total=counts.total,
                passed=counts.passed,
                failed=counts.failed,
                skipped=counts.skipped,
                waiting=counts.waiting,
                pending=counts.pending,
                reused=counts.reused,
                failedByCode=dict(counts.by_code),
            )
        if change.report is not None:
            facets |= _of_report(change.report)
        if (retries := _retries(change)) is not None:
            facets["medkg_retryAttempt"] = retries
        return facets

    def _parent(self, change: RunChange) -> Any:
        level = Level.JOB if change.level is Level.WINDOW else Level.WINDOW
        return parent_run.ParentRunFacet(
            run=parent_run.Run(runId=str(change.parent_run_id)),
            job=parent_run.Job(namespace=self._namespace, name=_job_name(level, change.pipeline, "")),
            root=parent_run.Root(
                run=parent_run.RootRun(runId=change.root_run_id),
                job=parent_run.RootJob(
                    namespace=self._namespace, name=_job_name(Level.JOB, change.pipeline, "")
                ),
            ),
        )

    # --- datasets -----------------------------------------------------------------------------------

    def _datasets(self, change: RunChange) -> tuple[list[InputDataset], list[OutputDataset]]:
        if change.level is Level.STAGE:
            return self._of_stage(change)
        inputs = [_input(name, [], None) for name in change.inputs]
        if change.state not in {RunState.COMPLETE, RunState.FAIL, RunState.ABORT, RunState.OTHER}:
            return inputs, []
        written, rows = change.written, {"search_index": "chunks", "vectors": "chunks"}
        stores = [
            store
            for store in ("search_index", "vectors", "mentions", "claims")
            if written.get(rows.get(store, store))
        ]
        return inputs, [self._stored(store, change, written[rows.get(store, store)]) for store in stores]

    def _of_stage(self, change: RunChange) -> tuple[list[InputDataset], list[OutputDataset]]:
        kinds = self._kinds(change.pipeline, change.version, change.stage)
        if kinds is None:
            return [], []
        takes, gives = kinds
        report, where = change.report, (change.tenant, change.pipeline)
        rows_in = report.documents_in if report else None
        rows_out = report.items_out if report else None
        if takes is None:
            inputs = [_input(name, [], rows_in) for name in change.inputs]
        else:
            rows = rows_in if takes in {"payloads", "document", "extraction"} else None
            inputs = [_input(self._places.between(*where, takes), _schema(takes), rows)]
        if gives not in STORED:
            rows = rows_out if report is None or gives != "extraction" else report.documents_out
            return inputs, [_output(self._places.between(*where, gives), _schema(gives), rows)]
        counts = {"mentions": report.mentions, "claims": report.claims} if report else {}
        return inputs, [self._stored(store, change, counts.get(store, rows_out)) for store in STORED[gives]]

    def _stored(self, store: str, change: RunChange, rows: int | None) -> OutputDataset:
        """A store of the tenant, with the number of rows that were written."""
        named = getattr(self._places, store)
        name = named if isinstance(named, DatasetName) else named(change.tenant)
        return _output(name, _schema(store), rows)


def _job_name(level: Level, pipeline: str, stage: str) -> str:
    return {Level.JOB: pipeline, Level.WINDOW: f"{pipeline}.window", Level.STAGE: f"{pipeline}.{stage}"}[
        level
    ]


def _tags(change: RunChange) -> tags_run.TagsRunFacet:
    values = {
        "tenant": change.tenant,
        "pipeline_version": change.version,
        "medkg_job": change.job_id,
        "source": change.source,
    }
    return tags_run.TagsRunFacet(
        tags=[tags_run.TagsRunFacetFields(key, value, "MEDKG") for key, value in values.items() if value],
    )


def _of_report(report: StageReport) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if report.gpus:
        facets["medkg_gpuUtilization"] = GPUUtilizationFacet(
            gpus=[
                GpuReading(gpu.index, gpu.uuid, gpu.name, gpu.mean_percent, gpu.peak_percent, gpu.used_gib)
                for gpu in report.gpus
            ],
            modelCpuSeconds=report.model_cpu_seconds,
        )
    if report.models:
        facets["medkg_modelVersion"] = ModelVersionFacet(
            models=[NamedModel(role, name) for role, name in sorted(report.models.items())],
        )
    return facets


def _retries(change: RunChange) -> RetryAttemptFacet | None:
    """What was tried again; None if nothing was."""
    if change.retried is not None:
        return RetryAttemptFacet(
            attempt=change.attempt,
            failedAttempt=change.retried.attempt,
            backoffMs=change.retried.backoff_ms,
            codes=dict(change.retried.codes),
        )
    report = change.report
    if report is not None and (report.retried or report.attempts > 1):
        return RetryAttemptFacet(
            attempt=change.attempt,
            documentAttempts=report.attempts,
            retried=report.retried,
        )
    return RetryAttemptFacet(attempt=change.attempt) if change.attempt > 1 else None


def _schema(kind: str) -> list[schema_dataset.SchemaDatasetFacetFields]:
    return [
        schema_dataset.SchemaDatasetFacetFields(
            name=column.name, type=column.type, description=column.description or None
        )
        for column in dataset_columns(kind)
    ]


def _facets(fields: list[schema_dataset.SchemaDatasetFacetFields]) -> dict[str, Any]:
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}


def _input(
    name: DatasetName, fields: list[schema_dataset.SchemaDatasetFacetFields], rows: int | None
) -> InputDataset:
    statistics: dict[str, Any] = {}
    if rows is not None:
        statistics["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=rows,
        )
    return InputDataset(name.namespace, name.name, facets=_facets(fields), inputFacets=statistics)


def _output(
    name: DatasetName, fields: list[schema_dataset.SchemaDatasetFacetFields], rows: int | None
) -> OutputDataset:
    statistics: dict[str, Any] = {}
    if rows is not None:
        statistics["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=rows,
        )
    return OutputDataset(name.namespace, name.name, facets=_facets(fields), outputFacets=statistics)
