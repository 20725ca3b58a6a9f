"""A window's way through its run: claim, stages, commit; or the wait at a gate, and what follows it.

What the Dagster ops call. Comes in: a pipeline and stage name with the batch of the stage before. Leaves: the
batch for the next one, a report, and in the end the commit. Every call leases the window's documents again
and works on those that are still its own, so a re-executed run can never redo what another one has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from orchestration.contracts import (
    Commit,
    IndexWriter,
    Ledger,
    SourceRequest,
    StageReport,
    WindowDocument,
)
from orchestration.errors import LeaseLostError, OutdatedWindowError, StageContractError
from orchestration.jobs.submission import Submissions
from orchestration.records import AdapterRequest, DocumentKey, RawPayload, StageContext
from orchestration.runs.artifacts import WindowBatch
from orchestration.runs.gate_payloads import GatePayloads
from orchestration.runs.stage_runner import StageRunner
from orchestration.settings import Settings
from orchestration.topology.graph import StageNode, TopologyGraph

__all__ = ["WindowRuns"]

RESUME: Final = "resume"
"""Stage of failures found when documents are taken up behind a gate."""

NO_WINDOW: Final = ""
"""Window id of a launch whose request named nothing that needs work."""


class WindowRuns:
    """Runs the stages of windows in this process; one window at a time."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        submissions: Submissions,
        topology: Callable[[str], TopologyGraph],
        fingerprint: Callable[[TopologyGraph, str], str],
        runner: StageRunner,
        index: IndexWriter,
        gate_payloads: GatePayloads,
        owner: str,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._submissions = submissions
        self._topology = topology
        self._fingerprint = fingerprint
        self._runner = runner
        self._index = index
        self._gate_payloads = gate_payloads
        self._owner = owner

    def claim(self, pipeline: str, config: Mapping[str, Any]) -> str:
        """The window that the first op's config names, or the first one of the request that it holds.

        A request becomes a separate job; its further windows are the submission sensor's.
        """
        if "window_id" in config:
            return str(config["window_id"])
        topology = self._topology(pipeline)
        request = SourceRequest(
            source=config.get("source", "files"),
            paths=tuple(config.get("paths", ())),
            query=config.get("query"),
            limit=config.get("limit"),
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
        self._ledger.jobs.settle(submission.job_id)
        return self._submissions.claim(submission.job_id) or NO_WINDOW

    def run_first_stage(self, pipeline: str, stage: str, window_id: str) -> tuple[WindowBatch, StageReport]:
        """Fetch the window's documents; those found unchanged are skipped and leave the window.

        They were queued under the fingerprint of that time; what they get now is of this process's models.
        """
        node = self._node(pipeline, stage)
        if window_id == NO_WINDOW:
            return self._runner.nothing(node, window_id, "")
        window = self._ledger.windows.lease(window_id, self._owner)
        now = self._fingerprints(pipeline)
        items = [
            (document.ctx.with_metadata(fingerprint=now(document.locator.format)), _request(document))
            for document in window.documents
        ]
        batch, report = self._runner.run(node, window_id, window.job_id, items, self._settle_versions)
        return batch, report

    def run_stage(self, pipeline: str, stage: str, batch: WindowBatch) -> tuple[WindowBatch, StageReport]:
        """Run a stage over what the stage before passed on and this window still holds.

        Raises OutdatedWindowError when the stage before was another process's, with other models.
        """
        node = self._node(pipeline, stage)
        held = self._held(batch)
        if not held:
            return self._runner.nothing(node, batch.window_id, batch.job_id)
        now = self._fingerprints(pipeline)
        if any(ctx.key in held and now(held[ctx.key]) != ctx.fingerprint for ctx, _ in batch.items):
            raise OutdatedWindowError(
                f"window {batch.window_id} was started with other models, parsers or stages than there are. "
                "Nothing is lost: its documents are queued again and start again."
            )
        items = [(ctx, value) for ctx, value in batch.items if ctx.key in held]
        passed, report = self._runner.run(node, batch.window_id, batch.job_id, items)
        for field in node.earns:
            self._ledger.gates.set_field(batch.window_id, field, [ctx.key for ctx, _ in passed.items])
        return passed, report

    def hold(self, pipeline: str, batch: WindowBatch) -> int:
        """Have the window's documents wait at the topology's gate; returns their number.

        What the first phase made of them is kept as a separate artifact until they are through. Some may
        pass at once, if what they are to wait for is there.
        """
        gate = self._topology(pipeline).gate
        assert gate is not None
        held = self._held(batch)
        items = tuple((ctx, value) for ctx, value in batch.items if ctx.key in held)
        if not items:
            return 0
        payload = self._gate_payloads.keep(replace(batch, items=items))
        keys = [ctx.key for ctx, _ in items]
        return self._ledger.gates.wait_at(batch.window_id, self._owner, gate.name, payload, keys)

    def resume(self, pipeline: str, window_id: str) -> WindowBatch:
        """What the second phase begins with: the documents that passed the gate, as they came there.

        One whose artifact or converted PDF is gone fails by name, and its replay starts again.
        """
        graph = self._topology(pipeline)
        held = graph.phases[1].resumes
        assert held is not None
        window = self._ledger.windows.lease(window_id, self._owner)
        now = self._fingerprints(pipeline)
        contexts = [
            document.ctx.with_metadata(fingerprint=now(document.locator.format))
            for document in window.documents
        ]
        survivors, failures = self._gate_payloads.take(self._ledger.gates.payloads(window_id), contexts)
        self._ledger.outcomes.advance(window_id, RESUME, [], failures, {})
        needed = {
            ctx.key: ctx for ctx in self._ledger.outcomes.record_versions([ctx for ctx, _ in survivors])
        }
        items = tuple((needed[ctx.key], value) for ctx, value in survivors if ctx.key in needed)
        return WindowBatch(window_id, window.job_id, held.gives, items)

    def commit(self, pipeline: str, sinks: Mapping[str, WindowBatch]) -> int:
        """Make the documents visible that every sink (optional ones apart) has; returns how many.

        One ledger transaction; what it supersedes is then removed from the stores, and by `recover` later
        if this process dies in between.
        """
        graph = self._topology(pipeline)
        optional = {node.name for node in graph.nodes if node.optional}
        needed = [batch for name, batch in sinks.items() if name not in optional]
        index = next(batch for batch in sinks.values() if batch.kind == "index_receipt")
        held = self._held(index)
        complete = set.intersection(*({ctx.key for ctx, _ in batch.items} for batch in needed))
        commits = [
            Commit.of(ctx, receipt) for ctx, receipt in index.items if ctx.key in complete and ctx.key in held
        ]
        lost = {receipt.key for receipt in self._index.lost([receipt for _, receipt in index.items])}
        kept = [commit for commit in commits if commit.key not in lost]
        if kept:
            self._index.clean(self._ledger.outcomes.finish(index.window_id, self._owner, kept))
        if len(kept) < len(commits):
            raise LeaseLostError(
                f"the index entries of {len(commits) - len(kept)} documents of window {index.window_id} were "
                "cleaned after their writer died. Nothing is lost: those documents are queued again."
            )
        return len(kept)

    def _held(self, batch: WindowBatch) -> dict[DocumentKey, str]:
        """The format of each document that this window still holds."""
        if batch.window_id == NO_WINDOW:
            return {}
        window = self._ledger.windows.lease(batch.window_id, self._owner)
        return {document.ctx.key: document.locator.format for document in window.documents}

    def _fingerprints(self, pipeline: str) -> Callable[[str], str]:
        """A format's fingerprint as this process makes documents, computed once."""
        graph = self._topology(pipeline)
        return cache(lambda document_format: self._fingerprint(graph, document_format))

    def _settle_versions(
        self, survivors: Sequence[tuple[StageContext, list[RawPayload]]]
    ) -> list[tuple[StageContext, list[RawPayload]]]:
        """Note the content hashes that the fetch found; what is unchanged needs no further work."""
        versioned = [
            (ctx.with_metadata(version=payloads[0].version), payloads) for ctx, payloads in survivors
        ]
        needed = {
            ctx.key: ctx for ctx in self._ledger.outcomes.record_versions([ctx for ctx, _ in versioned])
        }
        return [(needed[ctx.key], payloads) for ctx, payloads in versioned if ctx.key in needed]

    def _node(self, pipeline: str, stage: str) -> StageNode:
        for node in self._topology(pipeline).nodes:
            if node.name == stage:
                return node
        raise StageContractError(
            f"topology {pipeline} has no stage {stage!r}; it changed while a run was on."
        )


def _request(document: WindowDocument) -> AdapterRequest:
    return AdapterRequest(
        tenant_id=document.ctx.tenant_id,
        source=document.source_plugin,
        doc_id=document.ctx.doc_id,
        locator=document.locator,
    )
