"""Why steps of Dagster runs failed, in one line each.

Comes in: events of a run. Leaves: the step, and class and message of the error that its code raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagster import DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.execution.plan.objects import ErrorSource

__all__ = ["step_failure", "step_failures", "with_step_failures"]


def step_failure(event: DagsterEvent) -> str:
    """The step of a STEP_FAILURE and its error, e.g. "embed_op: ValueError: no such model".

    Dagster wraps what a step's code raises: the error is then the cause of Dagster's. Of its message, the
    first line: the whole, with the stack, is in the events of the run.
    """
    failure = event.step_failure_data
    error = failure.error
    if error is not None and failure.error_source is ErrorSource.USER_CODE_ERROR and error.cause is not None:
        error = error.cause
    if error is None:
        return f"{event.step_key}: no error is recorded"
    name = str(error.cls_name or "").rsplit(".", 1)[-1]
    lines = error.message.strip().splitlines() or [name]
    first = lines[0].removeprefix(str(error.cls_name)).removeprefix(":").strip()
    return f"{event.step_key}: {name}: {first}" if first else f"{event.step_key}: {name}"


def step_failures(instance: DagsterInstance, run_id: str) -> list[str]:
    """`step_failure` of each failed step of a run, in the order of their failures."""
    entries = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    return [step_failure(entry.get_dagster_event()) for entry in entries]


def with_step_failures(message: str | None, failures: Sequence[str]) -> str | None:
    """Dagster's message on a failed run, which names its steps, followed by the errors of these steps."""
    parts: Iterable[str | None] = (message, *failures)
    return " ".join(part for part in parts if part) or None
