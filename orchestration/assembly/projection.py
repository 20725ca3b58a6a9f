"""The projection of the graph to Neo4j: ledger, server and the policy of calls to it, put together.

Input: settings. Output: a Projection, which opens the server when it is used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from orchestration.contracts import Ledger
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.projection.problems import ProjectionProblems
from orchestration.projection.projector import Call
from orchestration.projection.service import Projection
from orchestration.resilience.decisions import Observer
from orchestration.resilience.guard import Guards
from orchestration.resilience.policies import ResiliencePolicyConfig
from orchestration.settings import Settings
from orchestration.stores.neo4j.connection import Connection
from orchestration.stores.neo4j.graph import FORMAT, Neo4jGraph

__all__ = ["assembled_projection"]

POLICY: Final = "default"

T = TypeVar("T")


def assembled_projection(
    settings: Settings,
    ledger: Ledger,
    policy: Callable[[str], ResiliencePolicyConfig],
    observers: Sequence[Observer],
) -> Projection:
    """The projection to the server of the settings, which name one."""

    def open_target() -> Neo4jGraph:
        return Neo4jGraph(Connection(settings.neo4j_url or "", settings.neo4j_database))

    def open_call() -> Call:
        guards = Guards(policy, settings.unavailable_seconds, observers)

        async def call(action: Callable[[], Awaitable[T]]) -> T:
            return await guards.guard("graph projection", POLICY).call(action)

        return call

    problems = ProjectionProblems(settings.projection_problems_path, own_identity(), is_alive)
    return Projection(ledger.graph_feed, open_target, open_call, FORMAT, own_identity(), is_alive, problems)
