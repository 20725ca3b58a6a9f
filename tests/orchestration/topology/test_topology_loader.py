"""Topologies by name: checked once, reloaded on change, without broken edits; dated versions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from orchestration.errors import ConfigurationError, DagsterPipelineConfigError, UsageError
from orchestration.extraction.graph_schema import graph_schema_json
from orchestration.formats.yaml_source import parse_yaml
from orchestration.resilience.policies import ResiliencePolicyLoader, resilience_schema_json
from orchestration.topology.loader import PipelineLoader
from orchestration.topology.schema import PIPELINE_SCHEMA, check_fresh, pipeline_schema_json
from orchestration.topology.shipped import shipped_folder
from tests.orchestration.topology.topology_files import INSTALLED, PDF_LINE, Folder, a_topology

GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def test_a_topology_is_read_once_while_its_file_stays_the_same(folder: Folder) -> None:
    path = folder.write(a_topology())
    os.utime(path, (1, 1))
    first = folder.loader.load("auto")
    assert folder.loader.load("auto") is first
    path.touch()
    assert folder.loader.load("auto") is first


def test_an_edit_is_seen_even_under_the_same_size_and_time_stamp(folder: Folder) -> None:
    path = folder.write(a_topology())
    stamp = path.stat().st_mtime_ns
    assert folder.loader.load("auto").topology.description == "For tests."
    path.write_text(a_topology().replace("For tests.", "FOR TESTS."), encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    assert folder.loader.load("auto").topology.description == "FOR TESTS."


def test_after_a_broken_edit_the_last_valid_topology_stays_and_the_error_is_reported(folder: Folder) -> None:
    folder.write(a_topology())
    good = folder.loader.load("auto")
    folder.write("name: [")
    assert folder.loader.load("auto") is good
    (report,) = folder.reports
    assert (report.name, report.in_use) == ("auto", "2026-11-23")
    assert "auto.yaml:1" in report.error.message
    assert set(folder.loader.problems()) == {"auto"}
    assert folder.loader.valid_names() == ("auto",)


def test_a_fixed_edit_is_used_and_no_problem_is_left(folder: Folder) -> None:
    for text in (a_topology(), "name: [", a_topology(head=" Fixed.")):
        folder.write(text)
        graph = folder.loader.load("auto")
    assert graph.topology.description == "For tests. Fixed."
    assert not folder.loader.problems()


def test_a_topology_that_was_never_valid_is_an_error_each_time_and_no_valid_name(folder: Folder) -> None:
    folder.write("name: [")
    folder.write(a_topology().replace("name: auto", "name: other"), "other")
    for _ in range(2):
        with pytest.raises(DagsterPipelineConfigError):
            folder.loader.load("auto")
    assert folder.loader.names() == ("auto", "other")
    assert folder.loader.valid_names() == ("other",)


def test_a_policy_that_is_removed_breaks_the_topologies_that_name_it(folder: Folder) -> None:
    folder.write(a_topology())
    good = folder.loader.load("auto")
    folder.policies = ("default",)
    assert folder.loader.load("auto") is good
    assert "gpu-bound" in folder.reports[0].error.message


def test_the_error_of_an_unknown_topology_lists_the_available_ones(folder: Folder) -> None:
    folder.write(a_topology())
    with pytest.raises(UsageError, match=r"no topology 'autoo'.*available: auto. Did you mean 'auto'\?"):
        folder.loader.load("autoo")


def test_a_file_with_another_name_than_its_topology_is_refused(folder: Folder) -> None:
    folder.write(a_topology(), "other")
    with pytest.raises(DagsterPipelineConfigError, match=r"other.yaml:1: the file is named other.yaml"):
        folder.loader.load("other")


def test_of_two_topologies_with_one_job_the_second_is_a_problem(folder: Folder) -> None:
    folder.write(a_topology(head="\njob: same_job"))
    folder.write(a_topology(head="\njob: same_job").replace("name: auto", "name: other"), "other")
    assert "already that of topology 'auto'" in folder.loader.problems()["other"].error.message
    assert folder.loader.valid_names() == ("auto",)


def test_a_dated_version_is_loaded_beside_the_current_one(folder: Folder) -> None:
    old = a_topology(head=" Old.").replace("2026-11-23", "2025-01-31")
    folder.write(old, version="2025-01-31")
    folder.write(a_topology())
    assert folder.loader.load("auto@2025-01-31").version == "2025-01-31"
    assert folder.loader.load("auto@2026-11-23") is folder.loader.load("auto")
    assert folder.loader.versions("auto") == ("2025-01-31",)


@pytest.mark.parametrize("name", ["auto@2020-01-01", "auto@../..", "auto@x"])
def test_the_error_of_an_unknown_version_lists_the_available_ones(folder: Folder, name: str) -> None:
    folder.write(a_topology().replace("2026-11-23", "2025-01-31"), version="2025-01-31")
    folder.write(a_topology())
    with pytest.raises(UsageError, match="available: 2025-01-31"):
        folder.loader.load(name)


def test_a_version_in_the_folder_of_another_date_is_refused(folder: Folder) -> None:
    folder.write(a_topology(), version="2025-01-31")
    with pytest.raises(DagsterPipelineConfigError, match=r"auto.yaml:2: the file is in 2025-01-31"):
        folder.loader.load("auto@2025-01-31")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    loader = PipelineLoader(tmp_path / "none", lambda: INSTALLED, lambda: ["default"])
    with pytest.raises(DagsterPipelineConfigError, match="is not a folder of topologies"):
        loader.names()


# --- what is shipped -------------------------------------------------------------------------------


def shipped() -> PipelineLoader:
    policies = ResiliencePolicyLoader(shipped_folder())
    return PipelineLoader(shipped_folder(), lambda: INSTALLED, policies.names)


@pytest.mark.parametrize("name", shipped().names())
def test_a_shipped_topology_is_valid_and_kept_under_its_version(name: str) -> None:
    loader = shipped()
    current = loader.load(name)
    assert current.version in loader.versions(name), "keep a copy under topologies/versions/"
    assert loader.load(f"{name}@{current.version}").content_hash == current.content_hash, (
        "the topology changed: give it a new version"
    )


def test_the_job_behind_a_gate_is_a_topology_s_own_too(folder: Folder) -> None:
    gate = "gates:\n  - {name: pdf, conditions: {pdf_ir_ready: true}, resume_stage: parse}\n"
    folder.write(a_topology(PDF_LINE, gates=gate))
    folder.write(a_topology().replace("name: auto", "name: auto-resume"), name="auto-resume")
    problems = folder.loader.problems()
    assert list(problems) == ["auto-resume"]
    assert "job 'auto_resume_job' is already that of topology 'auto'" in problems["auto-resume"].error.message
    assert folder.loader.valid_names() == ("auto",)


def test_the_shipped_auto_topology_has_the_job_that_users_know() -> None:
    assert shipped().load("auto").job == "auto_pipeline_job"
    assert shipped().load("clinical-trials").job == "clinical_trials_job"


def test_shipped_files_match_the_schemas() -> None:
    pipeline = json.loads(pipeline_schema_json())
    others = {
        "resilience.yaml": json.loads(resilience_schema_json()),
        "graph.yaml": json.loads(graph_schema_json()),
    }
    for path in shipped_folder().rglob("*.yaml"):
        source = parse_yaml(path.read_bytes(), path, ConfigurationError)
        jsonschema.validate(source.data, others.get(path.name, pipeline))


def test_the_schema_files_in_the_guides_are_fresh(tmp_path: Path) -> None:
    check_fresh(GUIDES)
    assert (GUIDES / "resilience-schema.json").read_text(encoding="utf-8") == resilience_schema_json()
    assert (GUIDES / "graph-schema.json").read_text(encoding="utf-8") == graph_schema_json()
    (tmp_path / PIPELINE_SCHEMA).write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="medkg topology schema"):
        check_fresh(tmp_path)
