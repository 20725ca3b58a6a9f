"""The run of a window: claim, stages, commit; or the wait at a gate, and the second phase.

The Dagster ops call this. Comes in: a pipeline and stage name with the batch of the previous stage. Leaves:
the batch for the next stage, a report, and in the end the commit. Every call leases the documents of the
window again and processes those that no other run has, so a re-executed run never repeats their work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import structlog

from orchestration.contracts import (
    DocumentStore,
    GraphWriter,
    IndexWriter,
    Ledger,
    SourceRequest,
    StageReport,
    Submission,
    Window,
    WindowDocument,
    branches_of,
    parsed_under,
)
from orchestration.errors import LeaseLostError, OutdatedWindowError, StageContractError
from orchestration.jobs.mirroring import MirrorPlan
from orchestration.jobs.submission import Submissions
from orchestration.records import AdapterRequest, DocumentKey, Fingerprints, RawPayload, StageContext
from orchestration.runs.artifacts import WindowBatch
from orchestration.runs.branch_commits import branch_commits
from orchestration.runs.gate_payloads import GatePayloads
from orchestration.runs.reused_documents import reused_results
from orchestration.runs.stage_runner import StageRunner
from orchestration.settings import Settings
from orchestration.topology.graph import StageNode, TopologyGraph
from orchestration.tracing import span

__all__ = ["WindowRuns"]

RESUME: Final = "resume"
"""Stage of failures at the start of the second phase."""

NO_WINDOW: Final = ""
"""Window id of a launch whose request needs no work."""


class WindowRuns:
    """Runs the stages of windows in this process; one window at a time."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        submissions: Submissions,
        topology: Callable[[str], TopologyGraph],
        fingerprints: Callable[[TopologyGraph, str], Fingerprints],
        runner: StageRunner,
        index: IndexWriter,
        graph: GraphWriter,
        documents: DocumentStore,
        gate_payloads: GatePayloads,
        remove_gone: Callable[[MirrorPlan], int],
        owner: str,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._submissions = submissions
        self._topology = topology
        self._fingerprints_of = fingerprints
        self._runner = runner
        self._index = index
        self._graph = graph
        self._documents = documents
        self._gate_payloads = gate_payloads
        self._remove_gone = remove_gone
        self._owner = owner

    @property
    def settings(self) -> Settings:
        """Of the data folder."""
        return self._settings

    def claim(self, pipeline: str, config: Mapping[str, Any]) -> str:
        """Return the window id in the config of the first op, or claim the first window of the request there.

        A request becomes a separate job; the submission sensor claims its further windows.
        """
        if "window_id" in config:
            return str(config["window_id"])
        topology = self._topology(pipeline)
        request = SourceRequest(
            plugin=config.get("source", "files"),
            paths=tuple(config.get("paths", ())),
            query=config.get("query"),
            limit=config.get("limit"),
            mirror=config.get("mirror", False),
        )
        submission = self._submissions.open(
            topology,
            request,
            tenant_id=config.get("tenant", self._settings.tenant),
            window_size=config.get("window", self._settings.window_size),
            attended=False,
        )
        for _ in self._submissions.enqueue(submission, topology):
            pass
        if request.mirror:
            self._mirror(submission)
        self._ledger.jobs.settle(submission.job_id)
        return self._submissions.claim(submission.job_id) or NO_WINDOW

    def _mirror(self, submission: Submission) -> None:
        """Remove what the listing no longer names; the request's `mirror` is the consent."""
        plan = self._submissions.mirror_plan(submission)
        log = structlog.get_logger(__name__).bind(job=submission.job_id, tenant=submission.tenant_id)
        for reason in plan.kept_because:
            log.warning("not removed", reason=reason)
        removed = self._remove_gone(plan)
        log.info("mirrored", removed=removed)

    def run_first_stage(self, pipeline: str, stage: str, window_id: str) -> tuple[WindowBatch, StageReport]:
        """Fetch the window's documents; those found unchanged are skipped and leave the window.

        They were queued under earlier fingerprints; now they get those of the models of this process. A
        document that is due for a branch alone is not fetched where its parsed document is kept.
        """
        node = self._node(pipeline, stage)
        if window_id == NO_WINDOW:
            return self._runner.nothing(node, window_id, "")
        window = self._ledger.windows.lease(window_id, self._owner)
        contexts = self._ledger.outcomes.with_due(self._with_fingerprints(pipeline, window))
        requests = {document.ctx.key: _request(document) for document in window.documents}
        reused: list[tuple[StageContext, list[RawPayload]]] = [
            (ctx, []) for ctx in contexts if self._is_kept(pipeline, ctx)
        ]
        items = [(ctx, requests[ctx.key]) for ctx in contexts if not self._is_kept(pipeline, ctx)]
        return self._runner.run(node, window_id, window.job_id, items, self._record_versions, reused)

    def run_stage(self, pipeline: str, stage: str, batch: WindowBatch) -> tuple[WindowBatch, StageReport]:
        """Run a stage over the documents of the previous stage that this window has not lost.

        Documents whose branch is not due leave it here. Raises OutdatedWindowError when the previous stage
        ran in another process, with other models.
        """
        node = self._node(pipeline, stage)
        leased = self._leased(batch)
        self._check_current(pipeline, batch, leased)
        of_branch = [
            (ctx, value)
            for ctx, value in batch.items
            if ctx.key in leased and (node.branch is None or node.branch in branches_of(ctx))
        ]
        if not of_branch:
            return self._runner.nothing(node, batch.window_id, batch.job_id)
        keeps = self._leads_to_kept(pipeline, node)
        parsed = [item for item in of_branch if keeps and self._is_kept(pipeline, item[0])]
        items = [item for item in of_branch if not (keeps and self._is_kept(pipeline, item[0]))]
        reused = reused_results(self._documents, node, parsed)
        passed, report = self._runner.run(node, batch.window_id, batch.job_id, items, reused=reused)
        for field in node.earns:
            self._ledger.gates.set_field(batch.window_id, field, [ctx.key for ctx, _ in passed.items])
        return passed, report

    def _check_current(
        self, pipeline: str, batch: WindowBatch, leased: Mapping[DocumentKey, WindowDocument]
    ) -> None:
        now = self._fingerprints(pipeline)
        formats = {key: document.locator.format for key, document in leased.items()}
        if any(ctx.key in leased and now(formats[ctx.key]) != ctx.fingerprints for ctx, _ in batch.items):
            raise OutdatedWindowError(
                f"window {batch.window_id} was started with other models, parsers or stages than there are. "
                "Nothing is lost: its documents are queued again and start from the beginning."
            )

    def _with_fingerprints(self, pipeline: str, window: Window) -> list[StageContext]:
        now = self._fingerprints(pipeline)
        return [document.ctx.with_fingerprints(now(document.locator.format)) for document in window.documents]

    def _is_kept(self, pipeline: str, ctx: StageContext) -> bool:
        """Whether the parsed document is taken from its store."""
        return parsed_under(ctx) is not None and self._topology(pipeline).parsed_by is not None

    def _leads_to_kept(self, pipeline: str, node: StageNode) -> bool:
        """Whether the step is one of those whose end is the kept parsed document."""
        step = self._topology(pipeline).parsed_by
        while step is not None and step.name != node.name:
            step = step.takes_from
        return step is not None

    def wait_at_gate(self, pipeline: str, batch: WindowBatch) -> int:
        """Let the documents of the window wait at the gate of the topology; returns their number.

        The results of the first phase are stored as a separate artifact until the second phase ends. A
        document that meets the condition already passes at the next sweep; so does one whose parsed document
        is kept from an earlier run, since nothing is to be converted.
        """
        gate = self._topology(pipeline).gate
        assert gate is not None
        leased = self._leased(batch)
        items = tuple((ctx, value) for ctx, value in batch.items if ctx.key in leased)
        if not items:
            return 0
        payload = self._gate_payloads.keep(replace(batch, items=items))
        keys = [ctx.key for ctx, _ in items]
        met = [ctx.key for ctx, _ in items if self._is_kept(pipeline, ctx)]
        for field in (field for field, wanted in gate.conditions.items() if wanted):
            self._ledger.gates.set_field(batch.window_id, field, met)
        return self._ledger.gates.wait_at(batch.window_id, self._owner, gate.name, payload, keys)

    def resume(self, pipeline: str, window_id: str) -> WindowBatch:
        """Return the batch that the second phase starts with: documents that passed the gate, as they came.

        One whose artifact or converted PDF no longer exists fails; its replay starts from the beginning.
        """
        graph = self._topology(pipeline)
        waited = graph.phases[1].resumes
        assert waited is not None
        window = self._ledger.windows.lease(window_id, self._owner)
        contexts = self._with_fingerprints(pipeline, window)
        survivors, failures = self._gate_payloads.take(self._ledger.gates.payloads(window_id), contexts)
        self._ledger.outcomes.advance(window_id, RESUME, [], failures, {})
        needed = {
            ctx.key: ctx for ctx in self._ledger.outcomes.record_versions([ctx for ctx, _ in survivors])
        }
        items = tuple((needed[ctx.key], value) for ctx, value in survivors if ctx.key in needed)
        return WindowBatch(window_id, window.job_id, waited.gives, items)

    def commit(self, pipeline: str, sinks: Mapping[str, WindowBatch]) -> int:
        """Commit the documents that every required sink has; returns their number.

        A branch that was not due is kept as it is visible. One ledger transaction; what it supersedes is then
        removed from the stores, and by `recover` later if this process dies in between.
        """
        index = next(batch for batch in sinks.values() if batch.kind == "index_receipt")
        with span("commit", {"medkg.pipeline": pipeline, "medkg.window": index.window_id}) as committing:
            committed = self._commit(pipeline, index, sinks)
            committing.set({"medkg.documents": committed})
            return committed

    def _commit(self, pipeline: str, index: WindowBatch, sinks: Mapping[str, WindowBatch]) -> int:
        leased = {key: document.ctx for key, document in self._leased(index).items()}
        visible = {commit.key: commit for commit in self._ledger.commits.find_all(list(leased))}
        commits = branch_commits(self._topology(pipeline), sinks, leased, visible)
        lost = self._lost(sinks)
        intact = [each for each in commits if each.commit.key not in lost]
        if intact:
            superseded = self._ledger.outcomes.finish(
                index.window_id,
                self._owner,
                [each.commit for each in intact],
                [each.base for each in intact if each.base is not None],
            )
            self._index.clean(superseded)
        if len(intact) < len(commits):
            raise LeaseLostError(
                f"the index entries of {len(commits) - len(intact)} documents of window {index.window_id} "
                "were cleaned after their writer died. Nothing is lost: those documents are queued again."
            )
        return len(intact)

    def _lost(self, sinks: Mapping[str, WindowBatch]) -> set[DocumentKey]:
        """Documents of which a store does not hold any more what was staged."""
        staged: dict[str, list[Any]] = {"index_receipt": [], "graph_receipt": []}
        for batch in sinks.values():
            staged[batch.kind] += [receipt for _, receipt in batch.items]
        lost = {receipt.key for receipt in self._index.lost(staged["index_receipt"])}
        return lost | {receipt.key for receipt in self._graph.lost(staged["graph_receipt"])}

    def _leased(self, batch: WindowBatch) -> dict[DocumentKey, WindowDocument]:
        """Return the documents that this window has not lost."""
        if batch.window_id == NO_WINDOW:
            return {}
        window = self._ledger.windows.lease(batch.window_id, self._owner)
        return {document.ctx.key: document for document in window.documents}

    def _fingerprints(self, pipeline: str) -> Callable[[str], Fingerprints]:
        """The fingerprints per format with the models of this process, computed once."""
        graph = self._topology(pipeline)
        return cache(lambda document_format: self._fingerprints_of(graph, document_format))

    def _record_versions(
        self, survivors: Sequence[tuple[StageContext, list[RawPayload]]]
    ) -> list[tuple[StageContext, list[RawPayload]]]:
        """Record the fetched content hashes; returns the documents that changed."""
        versioned = [
            (_versioned(ctx, payloads[0]) if payloads else ctx, payloads) for ctx, payloads in survivors
        ]
        needed = {
            ctx.key: ctx for ctx in self._ledger.outcomes.record_versions([ctx for ctx, _ in versioned])
        }
        changed = [(needed[ctx.key], payloads) for ctx, payloads in versioned if ctx.key in needed]
        if any(not payloads and parsed_under(ctx) is None for ctx, payloads in changed):
            raise OutdatedWindowError(
                "what is visible of a document changed while its window started. Nothing is lost: the "
                "documents are queued again."
            )
        return changed

    def _node(self, pipeline: str, stage: str) -> StageNode:
        for node in self._topology(pipeline).nodes:
            if node.name == stage:
                return node
        raise StageContractError(
            f"topology {pipeline} has no stage {stage!r}; it changed while a run was on."
        )


def _versioned(ctx: StageContext, payload: RawPayload) -> StageContext:
    """The context with the version of the fetched record, and its revision if it states one."""
    if payload.revision is None:
        return ctx.with_metadata(version=payload.version)
    return ctx.with_metadata(version=payload.version, revision=payload.revision)


def _request(document: WindowDocument) -> AdapterRequest:
    return AdapterRequest(
        tenant_id=document.ctx.tenant_id,
        plugin=document.source_plugin,
        doc_id=document.ctx.doc_id,
        locator=document.locator,
    )
