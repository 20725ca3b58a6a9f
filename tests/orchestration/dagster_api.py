"""Dagster's GraphQL API as a user's script calls it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.waiting import PATIENCE

LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
TERMINATE = "mutation($r: String!) { terminateRun(runId: $r) { __typename } }"
RE_EXECUTE = """mutation($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($r: ID!) { runOrError(runId: $r) { ... on Run { status
  stepStats { stepKey status } } } }"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
FAILURES = """query($r: ID!) { logsForRun(runId: $r) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } }
  ... on RunFailureEvent { message } } } } }"""
REPOSITORIES = (
    """{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"""
)


class DagsterApi:
    """One webserver's GraphQL endpoint."""

    def __init__(self, address: str) -> None:
        self._url = f"{address}/graphql"

    def launch(self, job: str, run_config: dict[str, Any]) -> str:
        """Launch a job; its run's id."""
        node = self._ask(REPOSITORIES)["repositoriesOrError"]["nodes"][0]
        selector = {
            "repositoryName": node["name"],
            "repositoryLocationName": node["location"]["name"],
            "jobName": job,
        }
        answer = self._ask(LAUNCH, p={"selector": selector, "runConfigData": run_config})["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        """Ask for the run's end."""
        assert self._ask(TERMINATE, r=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def re_execute_from_failure(self, run_id: str) -> str:
        """Launch the steps that the run did not finish; the new run's id."""
        parameters = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        answer = self._ask(RE_EXECUTE, p=parameters)["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        """Where the run stands."""
        return str(self._ask(RUN, r=run_id)["runOrError"]["status"])

    def has_ended(self, run_id: str, status: str) -> bool:
        """Whether the run has ended so; fails with the errors of its steps when it ended otherwise."""
        now = self.status(run_id)
        assert now == status or now not in ENDED, f"run {run_id} ended as {now}: {self.failures(run_id)}"
        return now == status

    def failures(self, run_id: str) -> list[dict[str, Any]]:
        """Errors of the run and its steps."""
        events = self._ask(FAILURES, r=run_id)["logsForRun"].get("events", [])
        return [event for event in events if event]

    def finished_steps(self, run_id: str) -> set[str]:
        """Steps of the run that succeeded; fails with the errors of a run that failed."""
        run = self._ask(RUN, r=run_id)["runOrError"]
        assert run.get("status") != "FAILURE", f"run {run_id} failed: {self.failures(run_id)}"
        steps = run.get("stepStats", [])
        return {step["stepKey"] for step in steps if step["status"] == "SUCCESS"}

    def _ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]
