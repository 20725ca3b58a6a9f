"""The graph of a data folder projected to Neo4j, against the driver used bare with the same statements.

`python -m benchmarks.cases.graph_neo4j --url bolt://HOST:7687 --studies FILE.jsonl --documents 5000` makes
trials from real ones in a temporary folder; `--data-dir FOLDER` takes the tenant of one that is there. The
graph is projected from nothing, and the statements of every transaction are kept with their parameters; then
the driver alone runs the same transactions on the emptied tenant, from parameters that are ready. Both have
run once before, since the server compiles what it runs often. Then Cypher asks for neighbours of random
concepts and for paths of two steps. The tenant's projection is removed before and after: name a server whose
projection is not needed.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import anyio
import numpy as np
from neo4j import AsyncGraphDatabase, GraphDatabase

from orchestration.assembly import Assembly
from orchestration.errors import UsageError
from orchestration.ledger import open_ledger
from orchestration.settings import Settings, load_settings
from orchestration.stores.neo4j.connection import Connection, Transaction

from ..data.many_trials import TENANT, load_trials

__all__ = ["measured"]

ASKED: Final = 200
LIMIT: Final = 20

NEIGHBOURS: Final = """
MATCH (:Concept {tenant: $tenant, concept: $concept})-[e]-(other:Concept)
RETURN type(e) AS predicate, other.concept AS concept, e.documents AS documents
ORDER BY documents DESC, concept LIMIT $limit
"""
PATHS: Final = """
MATCH (:Concept {tenant: $tenant, concept: $first})-[a]-(middle:Concept)
MATCH (middle)-[b]-(:Concept {tenant: $tenant, concept: $last})
RETURN type(a) AS first, middle.concept AS middle, type(b) AS last LIMIT $limit
"""
CONCEPTS: Final = "MATCH (c:Concept {tenant: $tenant}) RETURN c.concept AS concept ORDER BY concept"
REMOVE: Final = (
    "MATCH (n:{label} {{tenant: $tenant}}) WITH n LIMIT 5000 DETACH DELETE n RETURN count(*) AS removed"
)

Statement = tuple[str, dict[str, Any]]


def measured(settings: Settings, seed: int = 1) -> dict[str, Any]:
    """Figures of projecting the settings' tenant, and of asking; `rate_to_bare` is that of the load."""
    if settings.neo4j_url is None:
        raise UsageError("no server is named: --url bolt://HOST:PORT.")
    assembly = Assembly(settings)
    try:
        projection = assembly.projection
        assert projection is not None

        def project() -> None:
            projection.project(settings.tenant)

        def replay() -> None:
            _replay(settings, transactions)

        _remove(settings)
        with _recorded() as transactions:
            project()
        _timed_from_nothing(settings, replay)
        own = _timed_from_nothing(settings, project)
        bare = _timed_from_nothing(settings, replay)
        _timed_from_nothing(settings, project)
        counts = assembly.ledger.graph.counts(settings.tenant)
        answers = _asked(settings, random.Random(seed))
        _remove(settings)
        return {
            "documents": counts.documents,
            "claims": counts.claims,
            "mentions": counts.mentions,
            "claims_per_second": round(counts.claims / own[0]),
            "cpu_seconds": round(own[1], 1),
            "bare_claims_per_second": round(counts.claims / bare[0]),
            "bare_cpu_seconds": round(bare[1], 1),
            "rate_to_bare": round(bare[0] / own[0], 3),
            **answers,
        }
    finally:
        assembly.close()


@contextmanager
def _recorded() -> Iterator[list[list[Statement]]]:
    """The statements of every transaction that writes documents meanwhile, with their parameters."""
    transactions: list[list[Statement]] = []
    transact, rows, run = Connection.transaction, Transaction.rows, Transaction.run

    async def transaction(self: Connection, work: Any) -> Any:
        transactions.append([])
        return await transact(self, work)

    async def noted_rows(self: Transaction, statement: str, **parameters: Any) -> Any:
        transactions[-1].append((statement, parameters))
        return await rows(self, statement, **parameters)

    async def noted_run(self: Transaction, statement: str, **parameters: Any) -> None:
        transactions[-1].append((statement, parameters))
        await run(self, statement, **parameters)

    with (
        patch.object(Connection, "transaction", transaction),
        patch.object(Transaction, "rows", noted_rows),
        patch.object(Transaction, "run", noted_run),
    ):
        yield transactions


def _replay(settings: Settings, transactions: Sequence[Sequence[Statement]]) -> None:
    """Run the transactions by the driver alone."""
    assert settings.neo4j_url is not None
    url, database = settings.neo4j_url, settings.neo4j_database

    async def run() -> None:
        async with AsyncGraphDatabase.driver(url) as driver:
            for statements in transactions:
                async with driver.session(database=database) as session:
                    transaction = await session.begin_transaction()
                    for statement, parameters in statements:
                        result = await transaction.run(statement, parameters)
                        await result.data()
                    await transaction.commit()

    anyio.run(run)


def _timed_from_nothing(settings: Settings, action: Callable[[], None]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process, of an action on the emptied tenant."""
    _remove(settings)
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def _asked(settings: Settings, chance: random.Random) -> dict[str, Any]:
    """Milliseconds of neighbours and paths, each question run once before."""
    tenant = settings.tenant
    concepts = [row["concept"] for row in _rows(settings, [(CONCEPTS, {"tenant": tenant})])[0]]
    chosen = [chance.choice(concepts) for _ in range(ASKED)]
    common = {"tenant": tenant, "limit": LIMIT}
    questions = {
        "neighbours": [(NEIGHBOURS, {**common, "concept": concept}) for concept in chosen],
        "paths_of_two_steps": [
            (PATHS, {**common, "first": concept, "last": chance.choice(concepts)}) for concept in chosen
        ],
    }
    answers: dict[str, Any] = {}
    for name, statements in questions.items():
        _rows(settings, statements)
        seconds: list[float] = []
        _rows(settings, statements, seconds)
        p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
        answers[name] = {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}
    return answers


def _rows(
    settings: Settings, statements: Sequence[Statement], seconds: list[float] | None = None
) -> list[list[Any]]:
    assert settings.neo4j_url is not None
    answers = []
    with (
        GraphDatabase.driver(settings.neo4j_url) as driver,
        driver.session(database=settings.neo4j_database) as session,
    ):
        for statement, parameters in statements:
            started = time.perf_counter()
            answers.append(list(session.run(statement, parameters)))
            if seconds is not None:
                seconds.append(time.perf_counter() - started)
    return answers


def _remove(settings: Settings) -> None:
    for label in ("Claim", "Document", "Concept", "MedkgProjection"):
        statement = (REMOVE.format(label=label), {"tenant": settings.tenant})
        while _rows(settings, [statement])[0][0]["removed"]:
            pass


@contextmanager
def _made(studies: Path, documents: int, url: str) -> Iterator[Settings]:
    """A data folder with trials."""
    with TemporaryDirectory(prefix="medkg-graph-neo4j-") as folder:
        settings = load_settings(data_dir=Path(folder), tenant=TENANT, neo4j_url=url)
        ledger = open_ledger(settings.ledger_url)
        try:
            load_trials(ledger, studies, documents)
        finally:
            ledger.close()
        yield settings


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--data-dir", type=Path)
    place.add_argument("--studies", type=Path, help="trials as JSON Lines, to make others from")
    parser.add_argument("--documents", type=int, default=5_000)
    parser.add_argument("--tenant", default="default", help="of --data-dir")
    parser.add_argument("--url", required=True, help="bolt://HOST:PORT, without a password")
    arguments = parser.parse_args()
    if arguments.data_dir:
        settings = load_settings(
            data_dir=arguments.data_dir, tenant=arguments.tenant, neo4j_url=arguments.url
        )
        figures = measured(settings)
    else:
        with _made(arguments.studies, arguments.documents, arguments.url) as settings:
            figures = measured(settings)
    print(json.dumps(figures, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
