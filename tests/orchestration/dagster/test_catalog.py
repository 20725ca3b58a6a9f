"""The catalog: lineage from sources to the index, checks of real stores, schedules that only request runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    build_schedule_context,
)
from dagster._core.definitions.repository_definition import RepositoryDefinition
from structlog.testing import capture_logs

from medkg.testing.builders import TENANT
from orchestration.assembly import Assembly
from orchestration.contracts import JobState, SourceRequest
from orchestration.dagster.definitions import build_definitions
from orchestration.settings import Settings
from tests.orchestration.stores.data_folder import DataFolder

NIGHTLY = """\
topology: clinical-trials
source: clinicaltrials
query: EGFR
limit: 100
cron: 0 3 * * *
timezone: Europe/Vienna
"""
TOPOLOGIES = {"auto", "clinical-trials", "pdf-text-layer", "pdf-two-phase", "pmc-fulltext"}


@pytest.fixture
def assembly(settings: Settings) -> Iterator[Assembly]:
    settings.schedules_folder.mkdir(parents=True)
    (settings.schedules_folder / "trials-nightly.yaml").write_text(NIGHTLY, encoding="utf-8")
    opened = Assembly(settings)
    yield opened
    opened.close()


def repository_of(assembly: Assembly) -> RepositoryDefinition:
    return build_definitions(assembly).get_repository_def()


def schedule(assembly: Assembly, name: str) -> ScheduleDefinition:
    return repository_of(assembly).get_schedule_def(name)


# --- assets -----------------------------------------------------------------------------------------


def test_lineage_leads_from_sources_over_documents_to_index_and_graph(assembly: Assembly) -> None:
    assets = repository_of(assembly).asset_graph
    parents = {
        node.key.to_user_string(): {key.to_user_string() for key in node.parent_keys}
        for node in assets.asset_nodes
    }
    assert parents["documents/auto"] == {"sources/files"}
    assert parents["documents/clinical-trials"] == {"sources/files", "sources/clinicaltrials"}
    assert parents["search_index/auto"] == parents["vector_index/auto"] == {"documents/auto"}
    assert parents["index"] == {
        f"{store}_index/{name}" for store in ("search", "vector") for name in TOPOLOGIES
    }
    assert parents["mentions_and_claims/auto"] == {"documents/auto"}
    assert parents["graph"] == {f"mentions_and_claims/{name}" for name in TOPOLOGIES}
    assert len(parents) == 2 + 4 * len(TOPOLOGIES) + 2


def test_every_asset_has_a_group_kinds_and_a_description(assembly: Assembly) -> None:
    nodes = list(repository_of(assembly).asset_graph.asset_nodes)
    assert {node.group_name for node in nodes} == {"sources", "documents", "index", "graph"}
    assert all(node.kinds and node.description for node in nodes)
    assert not any(node.is_executable for node in nodes), "runs write them, Dagster doesn't execute them"


def test_kinds_follow_the_stores_that_are_configured(settings: Settings) -> None:
    other = settings.model_copy(update={"search_store": "opensearch", "vector_store": "opensearch"})
    assets = repository_of(Assembly(other)).asset_graph
    assert assets.get(AssetKey(["search_index", "auto"])).kinds == {"opensearch"}
    assert assets.get(AssetKey(["index"])).kinds == {"opensearch"}
    assert assets.get(AssetKey(["graph"])).kinds == {"sqlite"}


# --- checks -----------------------------------------------------------------------------------------


def evaluate(
    assembly: Assembly, job: str, check: str, instance: DagsterInstance
) -> tuple[bool, dict[str, Any]]:
    """Run a job of checks; whether this check passed, and its metadata."""
    result = repository_of(assembly).get_job(job).execute_in_process(instance=instance)
    assert result.success
    (evaluation,) = [each for each in result.get_asset_check_evaluations() if each.check_name == check]
    return evaluation.passed, {name: value.value for name, value in evaluation.metadata.items()}


def test_verify_job_passes_over_stores_that_agree_and_fails_over_others(
    assembly: Assembly, instance: DagsterInstance
) -> None:
    stores = assembly.stores
    data = DataFolder(assembly.ledger, stores.search, stores.vectors, stores.documents, assembly.index)
    data.ingest({"1": "aspirin", "2": "ibuprofen"}, tenant_id="another-tenant")
    assert evaluate(assembly, "verify_job", "stores_agree", instance) == (
        True,
        {"differences": 0, "by_kind": {}, "documents": []},
    )
    (commit, *_) = assembly.ledger.commits.committed("another-tenant")
    stores.vectors.discard("another-tenant", commit.intent_id)
    passed, shown = evaluate(assembly, "verify_job", "stores_agree", instance)
    assert not passed
    assert shown["by_kind"] == {"vectors missing": 2}
    assert "another-tenant/files/1: vectors missing" in shown["documents"]


def test_the_account_of_every_job_of_a_topology_can_be_checked(
    assembly: Assembly, instance: DagsterInstance, tmp_path: Path
) -> None:
    (tmp_path / "note.md").write_text("# Aspirin\n\nIt relieves pain.\n", encoding="utf-8")
    topology = assembly.topologies.load("auto")
    request = SourceRequest(plugin="files", paths=(str(tmp_path / "note.md"),))
    submission = assembly.submissions.open(
        topology, request, tenant_id=TENANT, window_size=50, attended=False
    )
    for _ in assembly.submissions.enqueue(submission, topology):
        pass
    job = (
        repository_of(assembly)
        .get_implicit_global_asset_job_def()
        .get_subset(
            asset_check_selection={
                key for key in repository_of(assembly).asset_graph.asset_check_keys if key.name == "account"
            }
        )
    )
    result = job.execute_in_process(instance=instance)
    evaluations = {each.asset_key.path[-1]: each for each in result.get_asset_check_evaluations()}
    assert set(evaluations) == TOPOLOGIES
    shown = {name: value.value for name, value in evaluations["auto"].metadata.items()}
    assert evaluations["auto"].passed and (shown["jobs"], shown["in"], shown["pending"]) == (1, 1, 1)
    assembly.ledger.jobs.set_state(submission.job_id, JobState.DONE)
    result = job.execute_in_process(instance=instance)
    failed = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert [each.asset_key.path[-1] for each in failed] == ["auto"]
    assert submission.job_id in str(failed[0].description)


# --- schedules --------------------------------------------------------------------------------------


def test_schedules_are_off_until_a_user_switches_them_on(assembly: Assembly) -> None:
    schedules = {each.name: each for each in repository_of(assembly).schedule_defs}
    assert set(schedules) == {"sync_trials_nightly", "verify_daily"}
    assert {each.default_status for each in schedules.values()} == {DefaultScheduleStatus.STOPPED}
    nightly = schedules["sync_trials_nightly"]
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("0 3 * * *", "Europe/Vienna")
    assert (nightly.job_name, schedules["verify_daily"].job_name) == ("clinical_trials_job", "verify_job")
    assert nightly.description == "Reads source clinicaltrials for 'EGFR' into clinical-trials."


def test_a_run_of_a_mirror_removes_what_its_listing_no_longer_names(
    assembly: Assembly, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in ("stays", "goes"):
        (notes / f"{name}.md").write_text(f"---\nid: {name}\n---\n# Aspirin\n\nIt relieves pain.\n")
    request = {"paths": [str(notes)]}
    assembly.window_runs.claim("auto", request)
    (notes / "goes.md").unlink()
    assembly.window_runs.claim("auto", request)
    documents = assembly.ledger.documents
    assert not documents.find("default", status="deleted"), "without `mirror` what is gone stays"
    assembly.window_runs.claim("auto", request | {"mirror": True})
    assert [row.key.doc_id for row in documents.find("default", status="deleted")] == ["goes"]
    assert [row.key.doc_id for row in documents.find("default")] == ["stays"]
    (notes / "stays.md").unlink()
    with capture_logs() as records:
        assembly.window_runs.claim("auto", request | {"mirror": True})
    assert [row.key.doc_id for row in documents.find("default")] == ["stays"], "perhaps it is not mounted"
    (record,) = (record for record in records if record["event"] == "not removed")
    assert f"{notes} lists nothing now" in record["reason"]


def test_the_schedule_of_a_mirror_requests_one(assembly: Assembly, instance: DagsterInstance) -> None:
    folder = assembly.settings.schedules_folder
    (folder / "notes.yaml").write_text(
        "topology: auto\npaths: [/notes]\nmirror: true\ncron: 0 3 * * *\n", encoding="utf-8"
    )
    with build_schedule_context(instance=instance) as context:
        (request,) = schedule(assembly, "sync_notes").evaluate_tick(context).run_requests or ()
    config = {"source": "files", "paths": ["/notes"], "mirror": True}
    assert request.run_config == {"ops": {"ingest_op": {"config": config}}}


def test_a_tick_requests_a_run_that_lists_the_source_itself(
    assembly: Assembly, instance: DagsterInstance
) -> None:
    nightly = schedule(assembly, "sync_trials_nightly")
    with build_schedule_context(instance=instance) as context:
        (request,) = nightly.evaluate_tick(context).run_requests or ()
    assert isinstance(request, RunRequest)
    config = {"source": "clinicaltrials", "query": "EGFR", "limit": 100}
    assert request.run_config == {"ops": {"ingest_op": {"config": config}}}
    assert "ledger" not in vars(assembly) and "sources" not in vars(assembly), "a tick opens nothing"
    job = repository_of(assembly).get_job("clinical_trials_job")
    instance.create_run_for_job(job, run_config=dict(request.run_config), tags=dict(request.tags))


def test_a_tick_is_skipped_while_an_earlier_run_is_unfinished(
    assembly: Assembly, instance: DagsterInstance
) -> None:
    nightly = schedule(assembly, "sync_trials_nightly")
    job = repository_of(assembly).get_job("clinical_trials_job")
    run = instance.create_run_for_job(
        job, status=DagsterRunStatus.STARTED, tags={"dagster/schedule_name": "sync_trials_nightly"}
    )
    with build_schedule_context(instance=instance) as context:
        tick = nightly.evaluate_tick(context)
        assert not tick.run_requests and run.run_id in str(tick.skip_message)
        instance.report_run_failed(run)
        assert nightly.evaluate_tick(context).run_requests


def test_an_invalid_schedule_is_left_out_and_named_by_doctor(assembly: Assembly) -> None:
    path = assembly.settings.schedules_folder / "broken.yaml"
    path.write_text("topology: nothing\ncron: 0 3 * * *\n", encoding="utf-8")
    names = {each.name for each in repository_of(assembly).schedule_defs}
    assert names == {"sync_trials_nightly", "verify_daily"}
    from orchestration.operations.doctor import Doctor

    (check,) = [each for each in Doctor(assembly).checks() if each["check"] == "schedules are valid"]
    assert not check["ok"] and check["detail"].startswith(f"{path}:1: there is no topology 'nothing'")
    path.unlink()
    (check,) = [each for each in Doctor(assembly).checks() if each["check"] == "schedules are valid"]
    assert check["ok"] and check["detail"] == "trials-nightly"
