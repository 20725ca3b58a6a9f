"""Gates for the operator: which documents wait for what, what keeps them there, and opening a gate by hand.

Comes in: a tenant, and ids or a stage. Leaves: waiting documents and obstacles, or documents queued for their
second phase. A document that does not meet the condition passes only with `force`, so not by mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.contracts import GateLedger, Obstacle, WaitingDocument
from orchestration.contracts.host import HostStatus
from orchestration.errors import HostUnavailableError, MedkgError, UsageError
from orchestration.gates.sweeps import TopologyOf, definition_of
from orchestration.topology.models import GateDefinition

__all__ = ["Gates"]


class Gates:
    """The gates of a data folder."""

    def __init__(self, gates: GateLedger, topology_of: TopologyOf) -> None:
        """`topology_of` returns the topology of a name and version."""
        self._gates = gates
        self._topology_of = topology_of

    def waiting(
        self, tenant_id: str, *, stage: str | None = None, limit: int | None = None
    ) -> list[WaitingDocument]:
        """Return documents at gates, the longest waiting first; with `stage`, those that resume there."""
        documents = self._gates.waiting(tenant_id, limit=None if stage else limit)
        if stage is None:
            return documents
        return [document for document in documents if self._resumes_at(document) == stage][:limit]

    def overdue(self, tenant_id: str, now: float, limit: int) -> list[WaitingDocument]:
        """Return those of the `limit` longest waiting documents that wait longer than their gate allows.

        `now`: seconds since the epoch. A gate whose topology no longer exists has no time-out.
        """
        return [
            document
            for document in self._gates.waiting(tenant_id, limit=limit)
            if (definition := self._definition(document)) is not None
            and now - document.since > definition.timeout_seconds
        ]

    def lacking(self, document: WaitingDocument) -> list[str] | None:
        """Return the ledger fields that it waits for; None when its topology no longer exists."""
        definition = self._definition(document)
        return None if definition is None else document.lacks(definition.conditions)

    def obstacle(self, document: WaitingDocument, host: HostStatus | HostUnavailableError) -> Obstacle | None:
        """Return why the document cannot move now; None when it only has to wait.

        `host` is the status of the host, or the error of a request for it. No service is called.
        """
        try:
            definition = definition_of(self._topology_of, document.gate)
        except MedkgError as error:
            return _obstacle(error)
        if isinstance(host, HostUnavailableError):
            return _obstacle(host)
        if document.lacks(definition.conditions):
            requested = document.pdf_task.requested if document.pdf_task is not None else None
            converters = {each.requested: each.obstacle for each in host.unavailable_converters}
            return converters.get(requested) if requested is not None else None
        if definition.resume == "manual":
            return Obstacle(
                code=None,
                message=f"gate {document.gate.name} opens by hand only: `medkg gate open`.",
            )
        return None

    def open(
        self, tenant_id: str, doc_ids: Sequence[str] | None, stage: str | None = None, *, force: bool = False
    ) -> int:
        """Open the gate for these documents (None: all); returns their number.

        Raises UsageError, and opens nothing, for an id that does not wait, for no ids, and, unless by force,
        for named documents that lack what they wait for. With None those that lack something are left alone.
        """
        waiting = self.waiting(tenant_id, stage=stage)
        if doc_ids is None:
            return self._gates.let_pass(
                waiting if force else [document for document in waiting if self._may(document)]
            )
        if not doc_ids:
            raise UsageError("name the documents that are to pass, or all of them with --all.")
        named = [document for document in waiting if document.key.doc_id in doc_ids]
        unknown = sorted(set(doc_ids) - {document.key.doc_id for document in named})
        if unknown:
            raise UsageError(f"{', '.join(unknown)}: no such document waits; see `medkg gate list`.")
        unmet = [document for document in named if not (force or self._may(document))]
        if unmet:
            lacks = "; ".join(
                f"{document.key.doc_id} lacks {', '.join(self.lacking(document) or [])}" for document in unmet
            )
            raise UsageError(f"{lacks}. Wait for it, or send them on without it with --force.")
        return self._gates.let_pass(named)

    def _may(self, document: WaitingDocument) -> bool:
        return not self.lacking(document)

    def _resumes_at(self, document: WaitingDocument) -> str | None:
        definition = self._definition(document)
        return definition.resume_stage if definition is not None else None

    def _definition(self, document: WaitingDocument) -> GateDefinition | None:
        try:
            return definition_of(self._topology_of, document.gate)
        except MedkgError:
            return None  # its topology is gone


def _obstacle(error: MedkgError) -> Obstacle:
    return Obstacle(code=error.code, message=error.message)
