"""What Dagster keeps of runs that ended: removed by age, since delete_run leaves files and rows behind.

Input: an instance and an age. Output: an instance whose size follows the runs of that time. Tables and paths
are private API of dagster; tests fail when an upgrade moves them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import delete, func, select

__all__ = ["prune_runs"]


def prune_runs(instance: DagsterInstance, older_than_days: float, batch: int = 200) -> int:
    """Delete runs that finished longer ago, with their events, check results and captured output.

    Returns the number of runs. Raises what an unavailable object store raises.
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    done = RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=before)
    pruned = 0
    while runs := instance.get_runs(done, limit=batch):
        for run in runs:
            # first: if the store is unavailable, the run stays and is pruned later
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            instance.delete_run(run.run_id)
            _delete_event_files(instance, run.run_id)
        pruned += len(runs)
    _delete_check_results(instance, before)
    return pruned


def _delete_check_results(instance: DagsterInstance, before: datetime) -> None:
    """Delete results of asset checks, one per run, but for the newest of each check, which the UI shows."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    results = AssetCheckExecutionsTable.c
    newest = select(func.max(results.id)).group_by(results.asset_key, results.check_name)
    old = results.create_timestamp < before.replace(tzinfo=None)
    with storage.index_connection() as connection:
        connection.execute(delete(AssetCheckExecutionsTable).where(old, results.id.not_in(newest)))


def _delete_event_files(instance: DagsterInstance, run_id: str) -> None:
    """Delete the empty file that delete_run leaves on disk where events are in SQLite."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        shard = Path(storage.path_for_shard(run_id))
        for suffix in ("", "-wal", "-shm"):
            shard.with_name(shard.name + suffix).unlink(missing_ok=True)
