"""Outcomes that the run of a window reports: fetched versions, results of stages, commits.

A call changes only documents that the window has not lost; another run decides about the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from orchestration.contracts import Commit, Failure, StageReport, is_newer, is_older, with_due
from orchestration.contracts.facts import FactBody, StageAbandoned, StageFinished, StageStarted
from orchestration.errors import LeaseLostError, MedkgError
from orchestration.ledger.accounts import change_documents, end_documents, keep_dead_letters
from orchestration.ledger.commits import make_visible, note_revisions, outdated, visible_commits
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.enqueue_batch import SUPERSEDED
from orchestration.ledger.outbox.recording import (
    NAMED,
    failed,
    record,
    record_documents,
    skipped,
    stage_failure,
)
from orchestration.ledger.outbox.recording import committed as commits_of
from orchestration.ledger.rows import batches, dead_letter_row, has_key, key_of, storable
from orchestration.ledger.skipping import is_unchanged, work_due
from orchestration.ledger.tables import commits, documents, stage_reports
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey, StageContext

__all__ = ["SqlOutcomes", "running_of_jobs"]

Running = Mapping[DocumentKey, RowMapping]


class SqlOutcomes(LedgerPart):
    """OutcomeLedger over SQL."""

    def with_due(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Contexts with their due branches, where versions are known; see OutcomeLedger.with_due."""
        known = [ctx for ctx in contexts if "version" in ctx.metadata]
        if not known:
            return list(contexts)
        with self._database.reading() as connection:
            running = running_of_jobs(connection, known, locked=False)
            visible = _visible(connection, list(running))
        marked = {ctx.key: _with_due(ctx, running, visible) for ctx in known if ctx.key in running}
        return [marked.get(ctx.key, ctx) for ctx in contexts]

    def record_versions(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Record versions and fingerprints; returns the contexts that still need work; see OutcomeLedger."""
        if not contexts:
            return []
        with self._database.writing() as connection:
            running = running_of_jobs(connection, contexts)
            visible = _visible(connection, list(running))
            mine = [ctx for ctx in contexts if ctx.key in running]
            unchanged = {
                ctx.key: ctx
                for ctx in mine
                if is_unchanged(
                    ctx.version, ctx.fingerprints, ctx.pipeline_name, running[ctx.key], visible.get(ctx.key)
                )
            }
            newer = {
                ctx.key: visible[ctx.key]
                for ctx in mine
                if ctx.key in visible
                and ctx.key not in unchanged
                and is_older(ctx.revision, visible[ctx.key]["revision"])
            }
            changed = [ctx for ctx in mine if ctx.key not in unchanged and ctx.key not in newer]
            now = self._now()
            change_documents(
                connection,
                [
                    {
                        "row_id": running[ctx.key]["id"],
                        "version": ctx.version,
                        "fingerprint": ctx.fingerprint,
                        "graph_fingerprint": ctx.fingerprints.graph,
                        "revision": ctx.revision,
                        "missing_stages": "[]",
                        "updated_at": now,
                    }
                    for ctx in changed
                ],
            )
            same = {"error_code": None, "error_message": None}
            endings = [(running[key], {"version": ctx.version, **same}) for key, ctx in unchanged.items()]
            end_documents(connection, endings, Status.COMMITTED, "skipped", now, skipped("unchanged"))
            note_revisions(connection, _newer_revisions(unchanged, visible))
            restored = [(running[key], _as_visible(commit)) for key, commit in newer.items()]
            end_documents(
                connection,
                restored,
                Status.COMMITTED,
                "skipped",
                now,
                skipped("superseded"),
                reason=SUPERSEDED,
            )
            return [_with_due(ctx, running, visible) for ctx in changed]

    def begin(self, window_id: str, stage: str, contexts: Sequence[StageContext]) -> None:
        """Record that a stage begins; see OutcomeLedger.begin."""
        self._record(window_id, contexts, StageStarted(stage=stage))

    def abandon(
        self, window_id: str, stage: str, contexts: Sequence[StageContext], error: MedkgError
    ) -> None:
        """Record that a stage ended without outcomes; see OutcomeLedger.abandon."""
        body = StageAbandoned(stage=stage, code=error.code, message=storable(error.message))
        self._record(window_id, contexts, body)

    def _record(self, window_id: str, contexts: Sequence[StageContext], body: FactBody) -> None:
        keys = {ctx.key for ctx in contexts}
        with self._database.writing() as connection:
            running = _running_in(connection, window_id, NAMED)
            rows = [row for key, row in running.items() if key in keys]
            record_documents(connection, rows, lambda _: body, self._now())

    def advance(
        self,
        window_id: str,
        stage: str,
        survivors: Sequence[StageContext],
        failures: Sequence[Failure],
        retries: Mapping[str, int],
        report: StageReport | None = None,
        outputs: Sequence[int] = (),
    ) -> None:
        """Record a stage's outcome for a batch, in one transaction; see OutcomeLedger."""
        with self._database.writing() as connection:
            running = _running_in(connection, window_id)
            failed_here = [failure for failure in failures if failure.ctx.key in running]
            reached = {
                ctx.key for ctx in [*survivors, *(failure.ctx for failure in failed_here)]
            } & running.keys()
            now = self._now()
            change_documents(
                connection,
                [
                    {
                        "row_id": running[key]["id"],
                        "current_stage": stage,
                        "retry_count_per_stage": _counted(running[key], stage, retries.get(key.doc_id, 0)),
                        "updated_at": now,
                    }
                    for key in reached
                ],
            )
            if report is not None:
                connection.execute(
                    insert(stage_reports).values(job_id=report.job_id, report=report.model_dump_json())
                )
                sizes = {ctx.key: size for ctx, size in zip(survivors, outputs, strict=True)}
                _finished(
                    connection, window_id, report, [running[key] for key in reached], failed_here, sizes, now
                )
            self._fail(connection, running, failed_here, now)

    def _fail(
        self, connection: Connection, running: Running, failures: Sequence[Failure], now: float
    ) -> None:
        """Insert dead letters; fatal failures end their documents, others leave them incomplete."""
        letters = []
        for failure in failures:
            row = running[failure.ctx.key]
            letter = dead_letter_row(failure, row["source_plugin"], row["locator"], now)
            letters.append((row["id"], letter))
        keep_dead_letters(connection, letters)
        change_documents(
            connection,
            [
                {
                    "row_id": running[failure.ctx.key]["id"],
                    "missing_stages": _listed(running[failure.ctx.key], failure.stage),
                }
                for failure in failures
                if not failure.fatal
            ],
        )
        fatal = {failure.ctx.key: failure for failure in failures if failure.fatal}
        endings = [
            (running[key], {"error_code": failure.code, "error_message": storable(failure.message)})
            for key, failure in fatal.items()
        ]
        of_documents = {running[key]["id"]: failure for key, failure in fatal.items()}
        end_documents(connection, endings, Status.FAILED, "failed", now, failed(of_documents))

    def finish(
        self, window_id: str, owner: str, committed: Sequence[Commit], bases: Sequence[Commit] = ()
    ) -> list[Commit]:
        """Visibility, status and account of the window's documents in one transaction; see OutcomeLedger."""
        if not committed:
            return []
        with self._database.writing() as connection:
            running = {
                key: row
                for key, row in _running_in(connection, window_id).items()
                if row["lease_owner"] == owner
            }
            mine = [commit for commit in committed if commit.key in running]
            if not mine:
                raise LeaseLostError(
                    f"window {window_id} passed to another run before its commit. Nothing is lost: that run "
                    "finishes its documents."
                )
            newer = outdated(connection, mine)
            base_of = {base.key: base for base in bases if base.key in running}
            _check_bases(connection, base_of)
            older = [commit for commit in mine if commit.key in newer]
            mine = [commit for commit in mine if commit.key not in newer]
            superseded = make_visible(connection, mine)
            endings = [(running[commit.key], _committed_columns(commit)) for commit in mine]
            chunks = {
                running[commit.key]["id"]: commit.chunk_count
                for commit in mine
                if commit.key not in base_of or base_of[commit.key].intent_id != commit.intent_id
            }
            end_documents(
                connection,
                endings,
                Status.COMMITTED,
                "committed",
                self._now(),
                commits_of({running[commit.key]["id"]: commit for commit in mine}),
                chunks,
            )
            restored = [(running[key], _as_visible(commit)) for key, commit in newer.items()]
            end_documents(
                connection,
                restored,
                Status.COMMITTED,
                "skipped",
                self._now(),
                skipped("superseded"),
                reason=SUPERSEDED,
            )
            return superseded + older


def _finished(
    connection: Connection,
    window_id: str,
    report: StageReport,
    rows: Sequence[RowMapping],
    failures: Sequence[Failure],
    sizes: Mapping[DocumentKey, int],
    now: float,
) -> None:
    """Write that a stage ended for these documents, also where they all left it before."""
    failure_of = {failure.ctx.key: failure for failure in failures}

    def body(of_window: Sequence[RowMapping]) -> StageFinished:
        keys = [key_of(row) for row in of_window]
        return StageFinished(
            report=report,
            outputs=tuple(sizes.get(key, 0) for key in keys),
            failures=tuple(
                stage_failure(index, failure_of[key]) for index, key in enumerate(keys) if key in failure_of
            ),
        )

    if rows:
        record_documents(connection, rows, body, now)
    else:
        record(connection, body([]), now, job_id=report.job_id, window_id=window_id)


def _with_due(ctx: StageContext, running: Running, visible: Running) -> StageContext:
    work = work_due(ctx.version, ctx.fingerprints, ctx.pipeline_name, running[ctx.key], visible.get(ctx.key))
    return with_due(ctx, work)


def _check_bases(connection: Connection, bases: Mapping[DocumentKey, Commit]) -> None:
    """Raise LeaseLostError unless these commits, of which new ones keep a part, are still visible."""
    visible = {commit.key: commit for commit in visible_commits(connection, list(bases))}
    changed = [key for key, base in bases.items() if key not in visible or _kept(visible[key]) != _kept(base)]
    if changed:
        raise LeaseLostError(
            f"what is visible of {changed[0].doc_id} changed while a part of it was made again. Nothing is "
            "lost: the documents of the window are queued again."
        )


def _kept(commit: Commit) -> Commit:
    """A commit apart from its revision, which a listing of the same content may raise."""
    return commit.model_copy(update={"revision": None})


def _newer_revisions(
    unchanged: Mapping[DocumentKey, StageContext], visible: Running
) -> dict[DocumentKey, str]:
    return {
        key: ctx.revision
        for key, ctx in unchanged.items()
        if ctx.revision and is_newer(ctx.revision, visible[key]["revision"])
    }


def _as_visible(commit: RowMapping) -> dict[str, Any]:
    """Columns of a document of which a newer revision is visible."""
    columns = {name: commit[name] for name in ("version", "fingerprint", "graph_fingerprint", "revision")}
    return {**columns, "error_code": None, "error_message": None}


def _committed_columns(commit: Commit) -> dict[str, Any]:
    return {
        "version": commit.version,
        "fingerprint": commit.fingerprint,
        "graph_fingerprint": commit.graph_fingerprint,
        "committed_version": commit.version,
        "committed_fingerprint": commit.fingerprint,
        "error_code": None,
        "error_message": None,
    }


def _running_in(
    connection: Connection, window_id: str, columns: Sequence[Any] = (documents,)
) -> dict[DocumentKey, RowMapping]:
    """Running documents of the window, whichever process leases them."""
    query = select(*columns).where(documents.c.window_id == window_id, documents.c.status == Status.RUNNING)
    rows = connection.execute(query.order_by(documents.c.id).with_for_update()).mappings()
    return {key_of(row): row for row in rows}


def running_of_jobs(
    connection: Connection, contexts: Sequence[StageContext], *, locked: bool = True
) -> dict[DocumentKey, RowMapping]:
    """Running documents of the job and pipeline of each context; `locked`: until the transaction ends."""
    running: dict[DocumentKey, RowMapping] = {}
    for batch in batches(contexts):
        query = select(documents).where(
            has_key(documents, [ctx.key for ctx in batch]), documents.c.status == Status.RUNNING
        )
        ordered = query.order_by(documents.c.id)
        rows = connection.execute(ordered.with_for_update() if locked else ordered).mappings()
        by_run = {(key_of(row), row["pipeline_name"], row["job_id"]): row for row in rows}
        for ctx in batch:
            row = by_run.get((ctx.key, ctx.pipeline_name, ctx.job_id))
            if row is not None:
                running[ctx.key] = row
    return running


def _visible(connection: Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, RowMapping]:
    visible: dict[DocumentKey, RowMapping] = {}
    for batch in batches(keys):
        rows = connection.execute(select(commits).where(has_key(commits, batch))).mappings()
        visible.update({key_of(row): row for row in rows})
    return visible


def _counted(row: RowMapping, stage: str, repeats: int) -> str:
    """The row's retry counts with `repeats` of a stage added."""
    counts: dict[str, int] = json.loads(row["retry_count_per_stage"])
    if repeats:
        counts[stage] = counts.get(stage, 0) + repeats
    return json.dumps(counts)


def _listed(row: RowMapping, stage: str) -> str:
    """The row's missing stages with one more."""
    return json.dumps(sorted({*json.loads(row["missing_stages"]), stage}))
