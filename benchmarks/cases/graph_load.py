"""Claims of many documents: load rate, size, and answers, against the database used bare in the same run.

`python -m benchmarks.cases.graph_load --studies FILE.jsonl --documents 100000` loads trials made from real
ones into a ledger, window by window; between two windows the same rows are written into a second database of
the same schema by its driver alone, from tuples that are ready. Then it asks for neighbours and for paths of
two steps of random concepts, and repeats exactly the statements of each answer on a bare connection. --url
names a PostgreSQL database in which two schemas are made; without it both are SQLite files. No plane is used,
so it is no case of the suite.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine, create_engine, event, make_url, text

from orchestration.batching import batched
from orchestration.contracts import Extraction
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.ledger.graph.counting import folded_name
from orchestration.ledger.graph.rows import CLAIM_COLUMNS, MENTION_COLUMNS, claim_row, mention_row
from orchestration.records import DocumentKey

from ..data.many_trials import TENANT, WINDOW, commit_of, many_trials, real_extractions

__all__ = ["measured"]

COMPARED: Final = (
    *("graph_documents", "graph_mentions", "graph_claims", "graph_names", "graph_concepts"),
    *("commits", "commit_changes"),
)
"""Tables that both databases fill."""

GRAPH_TABLES: Final = (*COMPARED[:5], "graph_identifiers", "graph_notices", "graph_canonical")

NAME_COLUMNS: Final = ("tenant_id", "concept", "kind", "name", "folded", "mentions")
CONCEPT_COLUMNS: Final = ("tenant_id", "concept", "kind", "name", "documents", "mentions")

ASKED: Final = 200
ROUNDS: Final = 7
LIMIT: Final = 20
SCHEMAS: Final = ("graph_load", "graph_load_bare")

Window = Sequence[tuple[DocumentKey, Extraction]]


@dataclass(slots=True)
class Spent:
    """Wall and CPU seconds of calls."""

    wall: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Add a call."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu += time.process_time() - cpu
        self.wall.append(time.perf_counter() - wall)


def measured(studies: Path, documents: int, url: str | None, seed: int = 1) -> dict[str, Any]:
    """Figures of ledger and bare database; ratios are rates of the ledger by those of the bare one."""
    real = real_extractions(studies)
    with _databases(url) as (own_url, bare_url):
        open_ledger(bare_url).close()
        ledger = open_ledger(own_url)
        try:
            bare = _Bare(bare_url)
            load = _loaded(ledger, bare, real, documents)
            differing = _differing_rows(own_url, bare_url)
            answers = _asked(ledger, own_url, random.Random(seed))
        finally:
            ledger.close()
        size = _size(own_url)
    sizes = {"megabytes": round(size / 1e6), "differing_rows": differing}
    return {"documents": documents, **load, **sizes, **answers}


# --- load -------------------------------------------------------------------------------------------


def _loaded(ledger: SqlLedger, bare: _Bare, real: Sequence[Extraction], documents: int) -> dict[str, Any]:
    own, peer, prepared = Spent(), Spent(), Spent()
    claims = 0
    for number, window in enumerate(batched(many_trials(real, documents), WINDOW)):
        claims += sum(len(extraction[1]) for _, extraction in window)
        commits = [commit_of(key, extraction, number) for key, extraction in window]
        with own.counted():
            ledger.graph.write(f"graph-{number}", window)
            ledger.commits.commit(commits)
        with prepared.counted():
            rows = bare.rows(window, number)
        with peer.counted():
            bare.write(rows)
    wall, ready = sum(own.wall), sum(peer.wall)
    bare_wall = ready + sum(prepared.wall)
    return {
        "claims": claims,
        "load": {
            "claims_per_second": round(claims / wall),
            "bare_claims_per_second": round(claims / bare_wall),
            "rate_to_bare": round(bare_wall / wall, 3),
            "rate_to_bare_with_rows_ready": round(ready / wall, 3),
            "cpu_seconds": round(own.cpu, 1),
            "bare_cpu_seconds": round(peer.cpu + prepared.cpu, 1),
            "bare_cpu_seconds_with_rows_ready": round(peer.cpu, 1),
            "last_to_first_tenth": round(_last_to_first(own.wall), 2),
        },
    }


def _last_to_first(seconds: Sequence[float]) -> float:
    tenth = max(1, len(seconds) // 10)
    return sum(seconds[-tenth:]) / sum(seconds[:tenth])


class _Bare:
    """The database by its driver, with statements that are written down once."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        self._connection = _bare_connection(url)
        self._number = 0

    def rows(self, window: Window, number: int) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """Statements with the rows that the ledger writes for a window."""
        documents, mentions, claims, commits = [], [], [], []
        names: Counter[tuple[str, str, str]] = Counter()
        concepts: dict[str, set[int]] = defaultdict(set)
        for key, (entities, stated) in window:
            self._number += 1
            place = (key.tenant_id, key.source, key.doc_id)
            counts = (len(entities), len(stated))
            documents.append((self._number, *place, f"graph-{number}", *counts))
            concept_of = {each.entity_id: each.concept for each in entities}
            mentions += [mention_row(self._number, each) for each in entities]
            claims += [claim_row(self._number, each, concept_of) for each in stated]
            commits.append(
                (*place, "v" * 64, "f" * 64, "p", f"i-{number}", 1, "m", f"graph-{number}", *counts)
            )
            for each in entities:
                names[each.concept, each.kind, each.name] += 1
                concepts[each.concept].add(self._number)
        named = {concept: (kind, name) for concept, kind, name in names}
        total: Counter[str] = Counter()
        for (concept, _, _), mentioned in names.items():
            total[concept] += mentioned
        changes = [(*commit[:3], commit[6]) for commit in commits]
        document = ("number", "tenant_id", "source", "doc_id", "intent_id", "entity_count", "claim_count")
        commit = (
            *("tenant_id", "source", "doc_id", "version", "fingerprint", "pipeline", "intent_id"),
            *("chunk_count", "namespace", "graph_intent_id", "entity_count", "claim_count"),
        )
        return [
            (self._insert("graph_documents", document), documents),
            (self._insert("graph_mentions", MENTION_COLUMNS), mentions),
            (self._insert("graph_claims", CLAIM_COLUMNS), claims),
            ("COMMIT", []),
            (self._insert("commits", commit), commits),
            (self._insert("commit_changes", ("tenant_id", "source", "doc_id", "intent_id")), changes),
            (
                self._marked("UPDATE graph_documents SET visible = (1 = 1) WHERE intent_id = ?"),
                [(f"graph-{number}",)],
            ),
            (
                self._insert_counts("graph_names", NAME_COLUMNS)
                + " ON CONFLICT (tenant_id, concept, kind, name) DO UPDATE SET "
                "mentions = graph_names.mentions + excluded.mentions",
                [(TENANT, *row, folded_name(row[2]), mentioned) for row, mentioned in names.items()],
            ),
            (
                self._insert_counts("graph_concepts", CONCEPT_COLUMNS)
                + " ON CONFLICT (tenant_id, concept) DO UPDATE SET "
                "documents = graph_concepts.documents + excluded.documents, "
                "mentions = graph_concepts.mentions + excluded.mentions, "
                "kind = excluded.kind, name = excluded.name",
                [(TENANT, each, *named[each], len(concepts[each]), total[each]) for each in concepts],
            ),
            ("COMMIT", []),
        ]

    def write(self, statements: Sequence[tuple[str, list[tuple[Any, ...]]]]) -> None:
        """Run the statements."""
        cursor = self._connection.cursor()
        in_transaction = False
        for statement, rows in statements:
            if statement == "COMMIT":
                self._connection.commit()
                in_transaction = False
                continue
            if self._sqlite and not in_transaction:
                cursor.execute("BEGIN IMMEDIATE")
                in_transaction = True
            if not self._sqlite and "ON CONFLICT" not in statement and statement.startswith("INSERT"):
                target = statement.removeprefix("INSERT INTO ").partition(" VALUES")[0]
                with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            elif "json_array_elements" in statement:
                cursor.execute(statement, [json.dumps(rows)])
            else:
                cursor.executemany(statement, rows)

    def _insert(self, table: str, columns: Sequence[str]) -> str:
        marks = ", ".join("?" * len(columns))
        return self._marked(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})")

    def _insert_counts(self, table: str, columns: Sequence[str]) -> str:
        """PostgreSQL takes them all in one statement: 2 to 3 times as fast as one per row in a pipeline."""
        if self._sqlite:
            return self._insert(table, columns)
        values = ", ".join(
            f"(row ->> {place})::{'int' if name in ('documents', 'mentions') else 'text'}"
            for place, name in enumerate(columns)
        )
        elements = "json_array_elements(%s::json)"
        return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {elements} AS row"

    def _marked(self, statement: str) -> str:
        return statement if self._sqlite else statement.replace("?", "%s")


# --- answers ----------------------------------------------------------------------------------------


def _asked(ledger: SqlLedger, own_url: str, chance: random.Random) -> dict[str, Any]:
    connection = _bare_connection(own_url)
    cursor = connection.cursor()
    if not own_url.startswith("sqlite"):  # its own process does so within a minute
        cursor.execute(f"ANALYZE {', '.join(GRAPH_TABLES)}")
    cursor.execute("SELECT concept FROM graph_concepts ORDER BY concept")
    concepts = [row[0] for row in cursor.fetchall()]
    chosen = chance.sample(concepts, min(ASKED, len(concepts)))
    kinds = "kind IN ('Condition', 'Drug') AND documents > 1"
    cursor.execute(f"SELECT concept FROM graph_concepts WHERE {kinds} ORDER BY concept")
    shared = [row[0] for row in cursor.fetchall()]
    pairs = [(chance.choice(shared), chance.choice(shared)) for _ in range(ASKED // 2)]
    pairs += [(chance.choice(chosen), chance.choice(chosen)) for _ in range(ASKED // 2)]
    connection.commit()
    frequent = ledger.graph.concepts(TENANT, limit=LIMIT)
    questions: dict[str, list[Callable[[], Any]]] = {
        "neighbours": [partial(ledger.graph.neighbours, TENANT, key, LIMIT) for key in chosen],
        "neighbours_of_the_most_frequent": [
            partial(ledger.graph.neighbours, TENANT, each.concept, LIMIT) for each in frequent
        ],
        "paths_of_two_steps": [partial(ledger.graph.paths, TENANT, *pair) for pair in pairs],
        "concepts": [partial(ledger.graph.concepts, TENANT, limit=LIMIT)] * 5,
        "concepts_named": [partial(ledger.graph.concepts, TENANT, named="diabet", limit=LIMIT)] * 5,
    }
    return {name: _compared(calls, connection) for name, calls in questions.items()}


def _compared(questions: Sequence[Callable[[], Any]], connection: Any) -> dict[str, float]:
    """Milliseconds of answers, and of their statements on a bare connection: each the best of ROUNDS times.

    On a machine with other work, a single time of a millisecond is mostly that of waiting for a core.
    """
    own: list[float] = []
    bare: list[float] = []
    cursor = connection.cursor()
    for ask in questions:
        with _statements() as statements:
            ask()
        rounds, bare_rounds = Spent(), Spent()
        for _ in range(ROUNDS):
            with rounds.counted():
                ask()
            with bare_rounds.counted():
                for statement, parameters in statements:
                    cursor.execute(statement, parameters)
                    cursor.fetchall()
            connection.rollback()
        own.append(min(rounds.wall))
        bare.append(min(bare_rounds.wall))
    return {
        "p50_ms": round(float(np.percentile(own, 50)) * 1e3, 2),
        "p95_ms": round(float(np.percentile(own, 95)) * 1e3, 2),
        "bare_p95_ms": round(float(np.percentile(bare, 95)) * 1e3, 2),
        "p95_rate_to_bare": round(float(np.percentile(bare, 95) / np.percentile(own, 95)), 3),
        "rate_to_bare": round(sum(bare) / sum(own), 3),
    }


@contextmanager
def _statements() -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs that SQLAlchemy sends meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


# --- databases --------------------------------------------------------------------------------------


@contextmanager
def _databases(url: str | None) -> Iterator[tuple[str, str]]:
    """Two empty databases, removed in the end."""
    if url is None:
        with tempfile.TemporaryDirectory(prefix="medkg-graph-load-") as folder:
            yield (f"sqlite:///{folder}/ledger.sqlite", f"sqlite:///{folder}/bare.sqlite")
        return
    engine = create_engine(url)

    def run(statement: str) -> None:
        with engine.begin() as connection:
            for name in SCHEMAS:
                connection.execute(text(statement.format(name=name)))

    run("DROP SCHEMA IF EXISTS {name} CASCADE")
    run("CREATE SCHEMA {name}")
    try:
        own, bare = (
            make_url(url)
            .update_query_dict({"options": f"-csearch_path={name}"})
            .render_as_string(hide_password=False)
            for name in SCHEMAS
        )
        yield own, bare
    finally:
        run("DROP SCHEMA IF EXISTS {name} CASCADE")
        engine.dispose()


def _bare_connection(url: str) -> Any:
    parsed = make_url(url)
    if url.startswith("sqlite"):
        connection = sqlite3.connect(str(parsed.database), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32768"):
            connection.execute(f"PRAGMA {pragma}")
        return connection
    import psycopg

    return psycopg.connect(
        host=parsed.host,
        port=parsed.port,
        user=parsed.username,
        password=parsed.password,
        dbname=parsed.database,
        options=str(parsed.query["options"]),
    )


def _differing_rows(own_url: str, bare_url: str) -> int:
    """How many rows one database has more than the other, over the tables that are compared."""
    counts: list[list[int]] = []
    for url in (own_url, bare_url):
        cursor = _bare_connection(url).cursor()
        counts.append([])
        for table in COMPARED:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[-1].append(cursor.fetchone()[0])
    return sum(abs(own - bare) for own, bare in zip(*counts, strict=True))


def _size(url: str) -> int:
    """Bytes of the database, or of the schema's tables with their indexes."""
    if url.startswith("sqlite"):
        return Path(str(make_url(url).database)).stat().st_size
    with _bare_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
            f"ON n.oid = c.relnamespace WHERE n.nspname = '{SCHEMAS[0]}' AND c.relkind = 'r'"
        )
        return int(cursor.fetchone()[0])


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=Path, required=True, help="JSON Lines of ClinicalTrials.gov")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--url", help="of a PostgreSQL database; default: SQLite")
    arguments = parser.parse_args()
    print(json.dumps(measured(arguments.studies, arguments.documents, arguments.url), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
