"""Our BM25 legs against bm25s over the same tokens, on the demo's questions: within .01 nDCG@10."""

from __future__ import annotations

import pytest

from benchmarks.cases.bm25 import LARGEST_DIFFERENCE, measured, on_opensearch
from benchmarks.peers.reference_bm25 import fts5_tokens, sqlite_reference, visible_chunks
from orchestration.assembly import Assembly
from orchestration.contracts import Filters
from orchestration.formats.words import indexed_words
from orchestration.retrieval.evaluation import read_questions
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import DEMO, DEMO_TENANT
from tests.orchestration.opensearch import connected

pytestmark = pytest.mark.plane

QUESTIONS = read_questions(DEMO / "questions.jsonl")


@pytest.fixture
def assembly(demo: Medkg) -> Assembly:
    return Assembly(load_settings(data_dir=demo.data_dir))


def test_the_bm25_leg_of_sqlite_is_as_good_as_the_reference(assembly: Assembly) -> None:
    chunks = visible_chunks(assembly.ledger.commits, assembly.search_store, DEMO_TENANT)

    measurement = measured(
        assembly.ledger.commits, assembly.search_store, DEMO_TENANT, QUESTIONS, sqlite_reference(chunks)
    )

    assert abs(measurement["difference"]["difference"]) <= LARGEST_DIFFERENCE, measurement
    assembly.close()


def test_the_reference_ranks_by_its_own_scores(assembly: Assembly) -> None:
    chunks = visible_chunks(assembly.ledger.commits, assembly.search_store, DEMO_TENANT)
    visible = {ref for ref, _ in chunks}.__contains__

    ours = assembly.search_store.bm25(DEMO_TENANT, "heart failure tablet", 5, Filters(), visible)
    theirs = sqlite_reference(chunks).search(DEMO_TENANT, "heart failure tablet", 5, Filters(), visible)

    assert {candidate.ref for candidate in ours} == {candidate.ref for candidate in theirs}
    assert [candidate.score for candidate in ours] != [candidate.score for candidate in theirs]
    assembly.close()


def test_tokens_are_those_of_the_store() -> None:
    assert fts5_tokens([indexed_words("Running, über IL-6 and running!"), ""]) == [
        ["6", "and", "il", "il6", "run", "run", "uber"],
        [],
    ]


@pytest.mark.needs_service("opensearch")
def test_the_bm25_leg_of_opensearch_is_as_good_as_the_reference(assembly: Assembly) -> None:
    chunks = visible_chunks(assembly.ledger.commits, assembly.search_store, DEMO_TENANT)

    with connected() as connection:
        measurement = on_opensearch(assembly.ledger.commits, chunks, DEMO_TENANT, QUESTIONS, connection)

    assert abs(measurement["difference"]["difference"]) <= LARGEST_DIFFERENCE, measurement
    assembly.close()
