"""Two tenants in one data folder: whatever each does and whatever they are called, neither sees the other."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from orchestration.contracts import Filters
from orchestration.errors import IndexMissingError
from orchestration.processes.child_process import is_alive
from orchestration.records import DocumentKey
from orchestration.retrieval.fusion import DEFAULT_FUSION
from orchestration.retrieval.legs import Bm25Leg, DenseLeg, Leg, SparseLeg
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.retrieval.conftest import PATIENT
from tests.orchestration.stores.data_folder import DataFolder, Pairing, embed, expand, opened

DEAD = "dead"
WORDS = ("walking", "sleeping", "running", "swimming")

NEIGHBOURS = (
    ("default", "default."),
    ("default", "../default"),
    ("a", "*"),
    ("a*", "ab"),
    ("a", "A"),
    ("a.b", "a_b"),
    ("a/b", "a"),
    ("_all", "all"),
    (".", ".."),
    ("trial", "tr\u0131al"),
    ("e\u0301tude", "\u00e9tude"),
    ("%2e", "."),
    ("t" * 63, "t" * 62),
    ("a,b", "a"),
    ("-a", "a"),
    ("' OR 1=1 --", "OR"),
)
"""Names that one might take for the other: patterns, paths, lists, escapes, letters that look alike."""

ids = st.sampled_from(("1", "2", "*", "../1", "a/1", "\u00e9", "e\u0301", "_", "x" * 300))
words = st.sampled_from(WORDS)
sides = st.sampled_from((0, 1))


class Tenants(RuleBasedStateMachine):
    """What each tenant has is kept beside, as a plain dictionary."""

    pairing = Pairing()
    names = NEIGHBOURS[0]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        pairing = self.pairing
        if pairing.url:
            prefix = self.stack.enter_context(own_prefix(self.stack.enter_context(connected())))
            pairing = Pairing(pairing.search, pairing.vectors, pairing.url, prefix)
        self.data: DataFolder = self.stack.enter_context(opened(folder, pairing=pairing))
        legs: list[Leg] = [
            Bm25Leg(self.data.search),
            SparseLeg(self.data.search, expand),
            DenseLeg(self.data.vectors, embed),
        ]
        self.searches = HybridSearch(self.data.log, self.data.search, legs, DEFAULT_FUSION, PATIENT)
        self.stack.callback(self.searches.close)
        self.held: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.version = 0

    def teardown(self) -> None:
        with self.stack:
            self.verify()

    @initialize()
    def fill(self) -> None:
        for side in (0, 1):
            self.ingest(side, {"1": WORDS[side], "2": WORDS[2]})

    def key(self, side: int, doc_id: str) -> DocumentKey:
        return DocumentKey(tenant_id=self.names[side], source="files", doc_id=doc_id)

    @rule(side=sides, bodies=st.dictionaries(ids, words, min_size=1, max_size=3))
    def ingest(self, side: int, bodies: dict[str, str]) -> None:
        self.version += 1
        self.data.ingest(bodies, version=str(self.version % 10), tenant_id=self.names[side])
        self.held[side].update(bodies)

    @rule(side=sides, bodies=st.dictionaries(ids, words, min_size=1, max_size=2))
    def die_before_the_commit(self, side: int, bodies: dict[str, str]) -> None:
        self.data.stage(bodies, version="9", owner=DEAD, tenant_id=self.names[side])

    @rule()
    def recover(self) -> None:
        self.data.index.recover(is_alive)

    @rule(side=sides, doc_id=ids)
    def delete(self, side: int, doc_id: str) -> None:
        key = self.key(side, doc_id)
        self.data.index.clean(self.data.ledger.documents.delete([key]))
        self.data.documents.discard(key, None)
        self.held[side].pop(doc_id, None)

    @rule(side=sides)
    def give_up_other_models(self, side: int) -> None:
        tenant_id = self.names[side]
        self.data.vectors.discard_other_models(tenant_id, self.data.log.namespaces(tenant_id))

    @rule(side=sides)
    def compact(self, side: int) -> None:
        self.data.vectors.compact(self.names[side])

    @rule(side=sides, word=words)
    def search(self, side: int, word: str) -> None:
        held = self.held[side]
        try:
            result = self.searches.search(self.names[side], word, 100)
        except IndexMissingError:
            assert held == {}
            return
        assert result.degraded == ()
        assert {hit.chunk.tenant_id for hit in result.hits} <= {self.names[side]}
        assert {hit.chunk.doc_id for hit in result.hits} == set(held)  # dense finds all there is
        by_words = {hit.chunk.doc_id for hit in result.hits if "bm25" in hit.legs}
        assert by_words == {doc_id for doc_id, body in held.items() if body == word}
        for hit in result.hits:
            assert hit.chunk.body.startswith(held[hit.chunk.doc_id])

    @rule(other=st.sampled_from(("*", "default*", "_all", "a,b", "a?")))
    def search_as_a_tenant_whose_name_is_a_pattern(self, other: str) -> None:
        if other in self.names:
            return
        with pytest.raises(IndexMissingError):
            self.searches.search(other, WORDS[0], 100)
        assert self.data.search.bm25(other, WORDS[0], 10, Filters(), lambda ref: True) == []
        assert list(self.data.search.holdings(other)) == list(self.data.vectors.holdings(other)) == []

    @rule()
    def verify(self) -> None:
        self.data.index.recover(is_alive)
        for side in (0, 1):
            assert self.data.verification().differences(self.names[side]) == []
            held = {key.doc_id for key, _, _ in self.data.documents.held(self.names[side])}
            assert set(self.held[side]) <= held


def never_meet(names: tuple[str, str], pairing: Pairing, examples: int) -> None:
    class Named(Tenants):
        pass

    Named.names, Named.pairing = names, pairing
    chosen = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Named, settings=chosen)


@pytest.mark.parametrize("names", NEIGHBOURS, ids=" and ".join)
def test_two_tenants_never_meet_in_files(names: tuple[str, str]) -> None:
    never_meet(names, Pairing(), examples=5)


@pytest.mark.needs_service("opensearch")
@pytest.mark.parametrize("names", NEIGHBOURS, ids=" and ".join)
def test_two_tenants_never_meet_on_a_server(names: tuple[str, str]) -> None:
    never_meet(names, Pairing("opensearch", "opensearch", SERVER), examples=2)
