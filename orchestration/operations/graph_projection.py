"""The projection of the graph to a server: brought up to date, made again, and how far it is behind.

Input: the parts of a data folder. Output: records, or ConfigurationError where no server is set.
"""

from __future__ import annotations

from typing import Any

from orchestration.errors import ConfigurationError, MedkgError
from orchestration.operations.parts import Parts
from orchestration.projection.projector import Observe, Pass
from orchestration.projection.service import Projection, ProjectionStatus

__all__ = ["GraphProjections", "projection_state"]


class GraphProjections:
    """The projection of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant

    def project(self, observe: Observe, *, rebuild: bool) -> Pass:
        """Bring the projection up to date; `rebuild`: from nothing. Raises what Projection.project raises."""
        return self._projection().project(self._tenant_id, rebuild=rebuild, observe=observe)

    def status(self) -> ProjectionStatus:
        """How far it is behind."""
        return self._projection().status(self._tenant_id)

    def watch(self) -> None:
        """Keep the projections of all tenants up to date, until the process ends."""
        self._projection().watch()

    def _projection(self) -> Projection:
        projection = self._parts.projection
        if projection is None:
            raise ConfigurationError(
                "no graph server is set. Set MEDKG_NEO4J_URL to bolt://[USER:PASSWORD@]HOST:PORT; the graph "
                "itself is in the ledger and needs none."
            )
        return projection


def projection_state(parts: Parts) -> tuple[dict[str, Any] | None, list[str]]:
    """How far the projection of the settings' tenant is behind, and why that cannot be seen; JSON values.

    None without a graph server in the settings.
    """
    if parts.projection is None:
        return None, []
    try:
        state = parts.projection.status(parts.settings.tenant)
    except MedkgError as error:
        return None, [error.message]
    problem = parts.projection.problem(parts.settings.tenant) if state.pending != 0 else None
    return state.model_dump(), [] if problem is None else [
        f"the graph is not projected: {problem.code} {problem.message}"
    ]
