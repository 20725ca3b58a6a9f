"""How SQLite plans the statements of answers, with and without statistics of its tables.

No process runs ANALYZE on a ledger in SQLite, but a person may. Without statistics its planner takes the
documents of a tenant for ten rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_commit, a_context, a_key
from orchestration.contracts import Alias, DocumentFacts, Extraction, GraphStore
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.records import Claim, Entity, Span

DOCUMENTS = 600
NOTICES = 3

READ_WHOLE = re.compile(
    r"SCAN (graph_(documents|claims(?! USING INDEX ix_graph_claims_effect)|mentions|names|concepts)"
    r"|graph_identifiers|notice|commits)\b"
    r"|AUTOMATIC"
    r"|(graph_documents|notice) USING (COVERING )?INDEX (?!ix_graph_documents_retracted)\S+ \(tenant_id=\?\)"
)
"""All rows of a table, an index made for one statement, or all documents of the tenant.

The index of claims that name a direction is meant to be read whole: few do.
"""

Ask = Callable[[GraphStore], Any]

ANSWERS: dict[str, Ask] = {
    "neighbours": lambda graph: graph.neighbours(TENANT, "TOY:hub", 5),
    "paths": lambda graph: graph.paths(TENANT, "TOY:1", "TOY:2", max_hops=4, max_documents=10, limit=30),
    "paths of predicates": lambda graph: graph.paths(TENANT, "TOY:1", "TOY:2", predicates=["r"]),
    "concepts by key": lambda graph: graph.concepts(TENANT, keys=["TOY:1", "TOY:hub"]),
    "concepts by name": lambda graph: graph.concepts(TENANT, named="hub", exactly=True),
    "statements of a concept": lambda graph: graph.statements(TENANT, concepts=["TOY:1"]),
    "statements of a pair": lambda graph: graph.statements(TENANT, subject="TOY:3", object_="TOY:hub"),
    "a statement": lambda graph: graph.statements(TENANT, claim_id="1-c"),
    "statements of a document": lambda graph: graph.statements(TENANT, key=a_key("1")),
    "documents that mention": lambda graph: graph.mentioning(TENANT, ["TOY:1"]),
    "concepts by names": lambda graph: graph.named(TENANT, ["hub"], ["Drug"]),
    "conflicts of a concept": lambda graph: graph.conflicts(TENANT, concept="TOY:1"),
    "facts": lambda graph: graph.facts(a_key("1"), "graph"),
}


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of documents of which a third mention a hub, and some of which others retract."""
    path = tmp_path_factory.mktemp("plans") / "ledger.sqlite"
    with closing(open_ledger(f"sqlite:///{path}")) as ledger:
        keys = [a_key(str(number)) for number in range(DOCUMENTS)]
        facts = {
            key: DocumentFacts(
                identifiers=(f"pmid:{number}",),
                retracts=(f"pmid:{number + NOTICES}",) if number < NOTICES else (),
            )
            for number, key in enumerate(keys)
        }
        ledger.graph.write("graph", [(key, _extraction(key.doc_id)) for key in keys], facts)
        ledger.commits.commit(
            [
                a_commit(a_context(key.doc_id), "index").model_copy(
                    update={"graph_intent_id": "graph", "entity_count": 2, "claim_count": 1}
                )
                for key in keys
            ]
        )
    return path


def _extraction(doc_id: str) -> Extraction:
    common: dict[str, Any] = {"tenant_id": TENANT, "doc_id": doc_id, "extraction": "toy/1"}
    names = (doc_id, "hub" if int(doc_id) % 3 == 0 else f"shared {int(doc_id) % 100}")
    entities = [
        Entity(
            entity_id=f"{doc_id}-{place}",
            kind="Drug",
            name=name,
            span=Span(start_char=10 * place, end_char=10 * place + len(name)),
            concept=f"TOY:{name}",
            **common,
        )
        for place, name in enumerate(names)
    ]
    claim = Claim(
        claim_id=f"{doc_id}-c",
        subject=entities[0].entity_id,
        predicate="r",
        object=entities[1].entity_id,
        evidence=(Span(start_char=0, end_char=20),),
        direction="increased",
        **common,
    )
    return entities, [claim]


@pytest.fixture(params=["no statistics", "statistics"])
def path(request: pytest.FixtureRequest, ledger_file: Path) -> Path:
    with closing(sqlite3.connect(ledger_file, isolation_level=None)) as connection:
        if request.param == "statistics":
            connection.execute("ANALYZE")
        elif connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
            connection.execute("DELETE FROM sqlite_stat1")
    return ledger_file


@pytest.fixture(params=["no alias", "alias"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[SqlLedger]:
    alias = Alias.of("TOY:2", "TOY:3", "manual")
    with closing(open_ledger(f"sqlite:///{path}")) as opened:
        if request.param == "alias":
            opened.aliases.add(TENANT, alias)
        yield opened
        opened.aliases.remove(TENANT, alias_id=alias.alias_id)


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_reads_a_whole_table(ledger: SqlLedger, path: Path, answer: str) -> None:
    with _selects() as statements:
        ANSWERS[answer](ledger.graph)
    assert statements
    with closing(sqlite3.connect(path)) as connection:
        for statement, parameters in statements:
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not [step for step in steps if READ_WHOLE.search(step)], (statement, steps)


@contextmanager
def _selects() -> Iterator[list[tuple[str, Any]]]:
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)
