"""Topologies become Dagster jobs: named, wired and typed ops that run the stages and report what they did."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterTypeCheckDidNotPass,
    ExecuteInProcessResult,
    JobDefinition,
    ResourceDefinition,
)

from medkg.testing.builders import a_context
from orchestration.contracts import (
    DocumentCounts,
    JobState,
    JobSummary,
    SourceRequest,
    StageReport,
    Submission,
)
from orchestration.dagster.compile import compile_jobs
from orchestration.dagster.io_manager import WindowArtifactIOManager
from orchestration.dagster.names import JOB_TAG, TOPOLOGY_TAG, WINDOW_TAG
from orchestration.plugins.entry_points import plugin_names
from orchestration.records import DocumentKey, GraphWriteReceipt, IndexReceipt
from orchestration.resilience.policies import ResiliencePolicyLoader
from orchestration.runs.artifacts import WindowBatch
from orchestration.settings import Settings
from orchestration.stores.objects.opening import open_objects
from orchestration.topology.graph import TopologyGraph
from orchestration.topology.loader import PipelineLoader
from orchestration.topology.shipped import shipped_folder
from tests.present import present

WINDOW = "window-1"
JOB = "0d9c1f2e-0000-4000-8000-000000000001"
GIVES = {
    "ingest": "payloads",
    "parse": "document",
    "ir_validation": "document",
    "chunk": "chunks",
    "embed": "embeddings",
    "index": "index_receipt",
    "extract": "extraction",
    "kg": "graph_receipt",
}

OF_GRAPH: dict[str, Any] = {
    "extract": {"mentions": 6, "claims": 3, "dropped": {"mention not in the text": 1}},
    "kg": {"mentions": 6, "claims": 3},
    "ir_validation": {"reused": 1},
}
"""Counts of the reports of stages."""


class Runs:
    """Stands in for WindowRuns: records the calls of ops and returns windows of the right kind."""

    def __init__(self, graph: TopologyGraph, wrong: Mapping[str, str] | None = None) -> None:
        self.calls: list[str] = []
        self.settings = Settings()
        self._kinds = {node.name: node.gives for node in graph.nodes} | dict(wrong or {})

    def claim(self, pipeline: str, config: Mapping[str, Any]) -> str:
        self.calls.append(f"claim {config['window_id']}")
        return str(config["window_id"])

    def run_first_stage(self, pipeline: str, stage: str, window_id: str) -> tuple[WindowBatch, StageReport]:
        return self._answer(stage, window_id)

    def run_stage(self, pipeline: str, stage: str, batch: WindowBatch) -> tuple[WindowBatch, StageReport]:
        return self._answer(stage, batch.window_id)

    def wait_at_gate(self, pipeline: str, batch: WindowBatch) -> int:
        self.calls.append(f"hold {batch.kind} of {batch.window_id}")
        return len(batch.items)

    def resume(self, pipeline: str, window_id: str) -> WindowBatch:
        self.calls.append(f"resume {window_id}")
        return WindowBatch(window_id, JOB, "payloads", ())

    def commit(self, pipeline: str, sinks: Mapping[str, WindowBatch]) -> int:
        self.calls.append(f"commit {sorted(sinks)}")
        return max(len(batch.items) for batch in sinks.values())

    def _answer(self, stage: str, window_id: str) -> tuple[WindowBatch, StageReport]:
        self.calls.append(stage)
        ctx = a_context("1")
        receipt = IndexReceipt(
            key=DocumentKey(tenant_id=ctx.tenant_id, source=ctx.source, doc_id="1"),
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            intent_id="i1",
            chunk_count=3,
            namespace="minilm@1",
        )
        graph = GraphWriteReceipt(
            key=receipt.key,
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            intent_id="g1",
            entity_count=6,
            claim_count=3,
        )
        receipts = {"index_receipt": receipt, "graph_receipt": graph}
        kind = self._kinds[stage]
        items = ((ctx, receipts[kind]),) if kind in receipts else ()
        report = StageReport(
            job_id=JOB,
            window_id=window_id,
            stage=stage,
            documents_in=4,
            documents_out=1,
            failed=1,
            retried=5,
            items_out=3,
            **(OF_GRAPH.get(stage, {})),
            started_at=0,
            seconds=0.5,
            cpu_seconds=0.1,
        )
        return WindowBatch(window_id, JOB, kind, items), report


class Ledger:
    """Stands in for the ledger: one job whose account the test sets."""

    def __init__(self, **counts: int) -> None:
        documents = DocumentCounts(**(counts or {"total": 4, "committed": 1, "failed": 1, "skipped": 2}))
        submission = Submission(
            job_id=JOB,
            tenant_id="default",
            pipeline_name="auto",
            pipeline_version="2026-11-23",
            topology_hash="h",
            request=SourceRequest(plugin="files"),
            window_size=50,
            attended=False,
        )
        self.job = JobSummary(
            submission=submission,
            state=JobState.OPEN,
            documents=documents,
            chunks=3,
            failures=(),
            stages=(),
            run_ids=(),
        )

    @property
    def jobs(self) -> Ledger:
        """The part of the ledger that ops ask."""
        return self

    def account(self, job_id: str) -> JobSummary:
        assert job_id == JOB
        return self.job


@pytest.fixture
def auto() -> TopologyGraph:
    policies = ResiliencePolicyLoader(shipped_folder())
    loader = PipelineLoader(shipped_folder(), lambda: plugin_names("medkg.stages"), policies.names)
    return loader.load("auto")


def job_of(graph: TopologyGraph, runs: Runs, folder: Path, ledger: Ledger | None = None) -> JobDefinition:
    (job,) = jobs_of(graph, runs, folder, ledger)
    return job


def jobs_of(
    graph: TopologyGraph, runs: Runs, folder: Path, ledger: Ledger | None = None
) -> list[JobDefinition]:
    return compile_jobs(
        graph,
        {
            "window_runs": ResourceDefinition.hardcoded_resource(runs),
            "job_ledger": ResourceDefinition.hardcoded_resource(ledger or Ledger()),
            "artifacts": WindowArtifactIOManager(lambda: open_objects(folder.as_uri())),
        },
    )


CONFIG = {"ops": {"ingest_op": {"config": {"window_id": WINDOW}}}}


def test_a_job_has_an_op_for_each_stage_and_one_commit(auto: TopologyGraph, tmp_path: Path) -> None:
    job = job_of(auto, Runs(auto), tmp_path)
    assert job.name == "auto_pipeline_job"
    assert {node.name for node in job.nodes} == {f"{stage}_op" for stage in GIVES} | {"commit_op"}
    assert job.tags == {TOPOLOGY_TAG: f"auto@{auto.version}"}
    assert job.metadata["topology_hash"].value == auto.content_hash
    assert all(node.definition.description for node in job.nodes)


def test_ops_are_typed_by_what_stages_take_and_give(auto: TopologyGraph, tmp_path: Path) -> None:
    job = job_of(auto, Runs(auto), tmp_path)
    ops = {node.name: node.definition for node in job.nodes}
    output_types = {stage: str(ops[f"{stage}_op"].output_defs[0].dagster_type.unique_name) for stage in GIVES}
    assert output_types == {stage: f"Window_{kind}" for stage, kind in GIVES.items()}
    takes = {name: [str(each.dagster_type.unique_name) for each in op.input_defs] for name, op in ops.items()}
    assert takes["ingest_op"] == []
    assert takes["embed_op"] == ["Window_chunks"]
    assert sorted(takes["commit_op"]) == ["Window_graph_receipt", "Window_index_receipt"]


def test_a_run_hands_its_window_from_op_to_op_and_commits_it(auto: TopologyGraph, tmp_path: Path) -> None:
    runs = Runs(auto)
    with DagsterInstance.ephemeral() as instance:
        result = job_of(auto, runs, tmp_path).execute_in_process(run_config=CONFIG, instance=instance)
        assert result.success
        claim, *stages, commit = runs.calls
        assert (claim, commit) == (f"claim {WINDOW}", "commit ['index', 'kg']")
        assert sorted(stages) == sorted(GIVES), "each stage once"
        assert [stage for stage in stages if stage not in ("extract", "kg")] == list(GIVES)[:6]
        assert stages.index("ir_validation") < stages.index("extract") < stages.index("kg")
        (record,) = instance.get_run_records()
        assert record.dagster_run.tags[WINDOW_TAG] == WINDOW
        assert record.dagster_run.tags[JOB_TAG] == "0d9c1f2e"


def output_metadata(result: ExecuteInProcessResult, op_name: str) -> dict[str, Any]:
    """What an op's output shows on the run's page."""
    (output,) = (
        event.step_output_data
        for event in result.events_for_node(op_name)
        if event.event_type is DagsterEventType.STEP_OUTPUT
    )
    return {name: value.value for name, value in output.metadata.items()}


def test_each_op_shows_the_counts_and_seconds_of_its_stage(auto: TopologyGraph, tmp_path: Path) -> None:
    result = job_of(auto, Runs(auto), tmp_path).execute_in_process(run_config=CONFIG)
    counts = {"documents_in": 4, "documents_out": 1, "failed": 1, "retried": 5}
    seconds = {"seconds": 0.5, "cpu_seconds": 0.1, "model_cpu_seconds": 0.0}
    assert output_metadata(result, "ingest_op") == {**counts, **seconds, "skipped": 2, "job": JOB}
    assert output_metadata(result, "parse_op") == {**counts, **seconds}
    assert output_metadata(result, "embed_op") == {**counts, **seconds, "chunks": 3}
    graph = {"mentions": 6, "claims": 3, "mentions_per_second": 12.0}
    dropped = {"ungrounded": 1, "ungrounded_share": 0.1, "ungrounded_by_reason": "1 mention not in the text"}
    assert output_metadata(result, "extract_op") == {**counts, **seconds, **graph, **dropped}
    assert output_metadata(result, "kg_op") == {**counts, **seconds, **graph}
    assert output_metadata(result, "ir_validation_op")["reused"] == 1
    assert output_metadata(result, "commit_op") == {
        "committed": 1,
        "chunks": 3,
        "mentions": 6,
        "claims": 3,
        "job": JOB,
        "job_account": "4 in = 1 committed + 1 failed + 2 skipped + 0 waiting + 0 pending",
    }


def test_a_run_evaluates_the_account_of_its_job(auto: TopologyGraph, tmp_path: Path) -> None:
    def evaluated(ledger: Ledger) -> tuple[AssetKey, str, bool, str | None]:
        result = job_of(auto, Runs(auto), tmp_path, ledger).execute_in_process(run_config=CONFIG)
        (check,) = result.get_asset_check_evaluations()
        assert {name: value.value for name, value in check.metadata.items()}["job"] == JOB
        return check.asset_key, check.check_name, check.passed, check.description

    sound = (AssetKey(["documents", "auto"]), "account", True)
    assert evaluated(Ledger()) == (*sound, "in = committed + failed + skipped + waiting + pending")
    lost = Ledger(total=4, committed=1)
    *_, passed, description = evaluated(lost)
    assert not passed and "4 documents in, but 1 accounted for" in str(description)
    unfinished = Ledger(total=4, committed=1, pending=3)
    assert evaluated(unfinished)[2]
    unfinished.job = unfinished.job.model_copy(update={"state": JobState.DONE})
    *_, passed, description = evaluated(unfinished)
    assert not passed and "3 of its documents are not" in str(description)


def test_the_ops_report_to_the_catalog_what_they_wrote(auto: TopologyGraph, tmp_path: Path) -> None:
    result = job_of(auto, Runs(auto), tmp_path).execute_in_process(run_config=CONFIG)
    written = {
        event.materialization.asset_key: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }
    index = {"documents": 1, "chunks": 3, "seconds": 0.5, "documents_per_second": 2.0, "window": WINDOW}
    of_commit = {
        "documents": 1,
        "topology": "auto",
        "tenant": "default",
        "source": "files",
        "job": JOB,
        "window": WINDOW,
    }
    counts = {"mentions": 6, "claims": 3}
    assert written == {
        AssetKey(["documents", "auto"]): {"documents": 1, "failed": 1, "seconds": 0.5, "window": WINDOW},
        AssetKey(["search_index", "auto"]): index,
        AssetKey(["vector_index", "auto"]): index,
        AssetKey(["mentions_and_claims", "auto"]): {
            **counts,
            "documents": 1,
            "mentions_per_second": 12.0,
            "seconds": 0.5,
            "window": WINDOW,
        },
        AssetKey(["index"]): {**of_commit, "chunks": 3},
        AssetKey(["graph"]): {**of_commit, **counts},
    }
    assert len(result.get_asset_materialization_events()) == len(written)


def test_a_stage_that_gives_something_else_fails_its_op(auto: TopologyGraph, tmp_path: Path) -> None:
    runs = Runs(auto, wrong={"chunk": "document"})
    with pytest.raises(DagsterTypeCheckDidNotPass, match="Window_chunks"):
        job_of(auto, runs, tmp_path).execute_in_process(run_config=CONFIG)
    assert runs.calls[-1] == "chunk"


def test_definitions_have_a_job_for_each_topology_and_load_neither_torch_nor_ray(tmp_path: Path) -> None:
    program = (
        "import sys; from orchestration.dagster.definitions import defs\n"
        "repository = defs.get_repository_def()\n"
        "print(sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith('__')))\n"
        "print(sorted(sensor.name for sensor in repository.sensor_defs))\n"
        "print(sorted(repository.get_top_level_resources()))\n"
        "print(sorted(schedule.name for schedule in repository.schedule_defs))\n"
        "print({'torch', 'ray', 'vllm'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "MEDKG_DATA_DIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert printed == [
        "['auto_pipeline_job', 'clinical_trials_job', 'pdf_text_layer_job', 'pdf_text_layer_resume_job', "
        "'pdf_two_phase_job', 'pdf_two_phase_resume_job', 'pmc_fulltext_job', 'pmc_fulltext_resume_job', "
        "'verify_job']",
        "['failed_window_sensor', 'pdf_ir_ready_sensor', 'submission_sensor', 'terminated_window_sensor']",
        "['artifacts', 'haystack_pipeline', 'job_ledger', 'kafka', 'plugin_manager', 'store_verification', "
        "'window_runs']",
        "['verify_daily']",
        "set()",
    ]


@pytest.fixture
def two_phases() -> TopologyGraph:
    policies = ResiliencePolicyLoader(shipped_folder())
    loader = PipelineLoader(shipped_folder(), lambda: plugin_names("medkg.stages"), policies.names)
    return loader.load("pdf-two-phase")


def test_a_gated_topology_is_two_jobs_that_hold_and_resume(two_phases: TopologyGraph, tmp_path: Path) -> None:
    runs = Runs(two_phases)
    held = Ledger(total=4, waiting=3, failed=1)
    before, after = jobs_of(two_phases, runs, tmp_path, held)
    assert (before.name, after.name) == ("pdf_two_phase_job", "pdf_two_phase_resume_job")
    with DagsterInstance.ephemeral() as instance:
        result = before.execute_in_process(instance=instance, run_config=CONFIG)
        assert result.success
        (check,) = result.get_asset_check_evaluations()
        assert check.passed and check.asset_key == AssetKey(["documents", "pdf-two-phase"])
        account = "4 in = 0 committed + 1 failed + 0 skipped + 3 waiting + 0 pending"
        assert output_metadata(result, "hold_op") == {"waiting": 0, "job": JOB, "job_account": account}
    assert runs.calls == [f"claim {WINDOW}", "ingest", "download", "pdf_ir", f"hold payloads of {WINDOW}"]
    runs.calls.clear()
    config = {"ops": {"resume_op": {"config": {"window_id": WINDOW}}}}
    with DagsterInstance.ephemeral() as instance:
        run = after.execute_in_process(instance=instance, run_config=config)
        assert run.success and present(instance.get_run_by_id(run.run_id)).tags[WINDOW_TAG] == WINDOW
    assert runs.calls[:2] == [f"resume {WINDOW}", "parse"]
    assert runs.calls[-1] == "commit ['index', 'kg']"
