"""Mentions and claims: invisible before their commit, gone with it, and each tenant's its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_commit, a_context, a_key
from orchestration.contracts import Extraction, GraphHolding, Ledger
from orchestration.errors import LeaseLostError
from orchestration.records import Claim, DocumentKey, Entity, Qualifier, Span

DRUG, DISEASE = "MESH:D001241", "MESH:D006261"


def an_extraction(key: DocumentKey, *, drug: str = "aspirin", concept: str = DRUG) -> Extraction:
    """A document of `<drug> treats headache`: two mentions and a claim between them."""
    end = len(drug)
    common: dict[str, Any] = {"tenant_id": key.tenant_id, "doc_id": key.doc_id, "extraction": "toy/1"}
    mentions = [
        Entity(
            entity_id=f"{name}-{start}",
            kind=kind,
            name=name,
            span=Span(start_char=start, end_char=start + len(name)),
            concept=of,
            identifiers=("CHEBI:15365",) if of == DRUG else (),
            confidence=0.75,
            **common,
        )
        for name, kind, start, of in (
            (drug, "Drug", 0, concept),
            ("headache", "Condition", end + 8, DISEASE),
        )
    ]
    claim = Claim(
        claim_id=f"{key.doc_id}-{drug}",
        subject=mentions[0].entity_id,
        predicate="treats",
        object=mentions[1].entity_id,
        evidence=(Span(start_char=0, end_char=end + 16),),
        negated=True,
        direction="decreased",
        qualifiers=(Qualifier(kind="verb", value="treats", span=Span(start_char=end + 1, end_char=end + 7)),),
        confidence=0.5,
        **common,
    )
    return mentions, [claim]


def committed_graph(
    ledger: Ledger, doc_id: str, graph_intent: str, tenant_id: str = TENANT, **what: str
) -> None:
    """Write a document's extraction under an intent, and commit the document with it."""
    key = a_key(doc_id).model_copy(update={"tenant_id": tenant_id})
    extraction = an_extraction(key, **what)
    ledger.graph.write(graph_intent, [(key, extraction)])
    commit = a_commit(a_context(doc_id), f"i-{doc_id}").model_copy(
        update={"key": key, "graph_intent_id": graph_intent, "entity_count": 2, "claim_count": 1}
    )
    ledger.commits.commit([commit])


class GraphSuite:
    """Promises of `ledger.graph` (GraphStore) and of commits that name its intents; part of LedgerSuite."""

    def test_an_extraction_comes_back_as_it_was_written(self, ledger: Ledger) -> None:
        extraction = an_extraction(a_key("1"))
        ledger.graph.write("g1", [(a_key("1"), extraction), (a_key("2"), ([], []))])
        assert ledger.graph.extraction(a_key("1"), "g1") == extraction
        assert ledger.graph.extraction(a_key("2"), "g1") == ([], [])
        assert ledger.graph.extraction(a_key("1"), "g2") is None

    def test_nothing_is_visible_before_its_commit(self, ledger: Ledger) -> None:
        ledger.graph.write("g1", [(a_key("1"), an_extraction(a_key("1")))])
        assert ledger.graph.concepts(TENANT) == []
        assert ledger.graph.statements(TENANT) == []
        assert ledger.graph.neighbours(TENANT, DRUG) == []
        assert ledger.graph.counts(TENANT).documents == 0
        committed_graph(ledger, "1", "g1")
        assert {concept.concept for concept in ledger.graph.concepts(TENANT)} == {DRUG, DISEASE}

    def test_writing_again_replaces_what_the_intent_held(self, ledger: Ledger) -> None:
        ledger.graph.write("g1", [(a_key("1"), an_extraction(a_key("1"))), (a_key("2"), ([], []))])
        ledger.graph.write("g1", [(a_key("1"), ([], []))])
        assert ledger.graph.extraction(a_key("1"), "g1") == ([], [])
        held = sorted(ledger.graph.holdings(TENANT, "g1"), key=lambda each: each.key.doc_id)
        assert held == [GraphHolding(a_key(doc_id), "g1", 0, 0) for doc_id in ("1", "2")]

    def test_a_new_version_takes_the_place_of_the_old_one(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "1", "g2", drug="ibuprofen", concept="MESH:D007052")
        assert {each.name for each in ledger.graph.concepts(TENANT)} == {"ibuprofen", "headache"}
        (statement,) = ledger.graph.statements(TENANT)
        assert statement.subject.name == "ibuprofen"

    def test_a_statement_has_its_claim_mentions_and_document(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        (statement,) = ledger.graph.statements(TENANT, concepts=[DISEASE], predicate="treats")
        mentions, claims = an_extraction(a_key("1"))
        assert (statement.subject, statement.object, [statement.claim]) == (*mentions, claims)
        commit = ledger.commits.find(a_key("1"))
        assert commit is not None
        assert (statement.key, statement.version) == (commit.key, commit.version)

    def test_statements_are_narrowed_by_concept_predicate_document_and_id(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "2", "g2", drug="ibuprofen", concept="MESH:D007052")
        find = ledger.graph.statements
        assert [each.key.doc_id for each in find(TENANT)] == ["1", "2"]
        assert [each.key.doc_id for each in find(TENANT, concepts=[DRUG])] == ["1"]
        assert [each.key.doc_id for each in find(TENANT, concepts=[DISEASE], key=a_key("2"))] == ["2"]
        assert [each.key.doc_id for each in find(TENANT, claim_id="2-ibuprofen")] == ["2"]
        assert len(find(TENANT, limit=1)) == 1
        assert find(TENANT, predicate="causes") == []
        assert find(TENANT, concepts=[]) == []

    def test_concepts_have_their_commonest_name_and_are_counted_by_document(self, ledger: Ledger) -> None:
        for doc_id, drug in (("1", "aspirin"), ("2", "ASA"), ("3", "aspirin")):
            committed_graph(ledger, doc_id, f"g{doc_id}", drug=drug)
        by_key = {each.concept: each for each in ledger.graph.concepts(TENANT)}
        assert (by_key[DRUG].name, by_key[DRUG].documents, by_key[DRUG].mentions) == ("aspirin", 3, 3)
        (named,) = ledger.graph.concepts(TENANT, named="asa")
        assert (named.concept, named.documents) == (DRUG, 3), "found by one of its names, counted by all"
        assert [each.concept for each in ledger.graph.concepts(TENANT, kind="Condition")] == [DISEASE]
        assert [each.concept for each in ledger.graph.concepts(TENANT, keys=[DISEASE, "x"])] == [DISEASE]
        assert ledger.graph.concepts(TENANT, named="%") == []

    def test_neighbours_are_found_from_both_ends(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "2", "g2")
        committed_graph(ledger, "3", "g3", drug="ibuprofen", concept="MESH:D007052")
        (of_drug,) = ledger.graph.neighbours(TENANT, DRUG)
        assert (of_drug.concept.concept, of_drug.outgoing, of_drug.documents) == (DISEASE, True, 2)
        assert of_drug.concept.documents == 3
        of_disease = ledger.graph.neighbours(TENANT, DISEASE)
        assert [(each.concept.name, each.outgoing, each.claims) for each in of_disease] == [
            ("aspirin", False, 2),
            ("ibuprofen", False, 1),
        ]
        assert len(ledger.graph.neighbours(TENANT, DISEASE, limit=1)) == 1

    def test_counts_are_those_of_what_is_visible(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "2", "g2")
        ledger.graph.write("g3", [(a_key("3"), an_extraction(a_key("3")))])
        counts = ledger.graph.counts(TENANT)
        assert (counts.documents, counts.mentions, counts.concepts, counts.claims) == (2, 4, 2, 2)
        assert (counts.kinds, counts.predicates) == ({"Condition": 2, "Drug": 2}, {"treats": 2})

    def test_tenants_are_apart(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "1", "g2", tenant_id="other", drug="ibuprofen", concept="MESH:D007052")
        assert {each.concept for each in ledger.graph.concepts("other")} == {"MESH:D007052", DISEASE}
        assert [each.key.tenant_id for each in ledger.graph.statements(TENANT)] == [TENANT]
        assert [each.concept.name for each in ledger.graph.neighbours("other", DISEASE)] == ["ibuprofen"]
        ledger.graph.discard(TENANT, "g2", None)
        assert ledger.graph.counts("other").claims == 1

    def test_counts_are_true_after_every_change_and_can_be_made_again(self, ledger: Ledger) -> None:
        for doc_id, drug in (("1", "aspirin"), ("2", "ASA"), ("3", "aspirin")):
            committed_graph(ledger, doc_id, f"g{doc_id}", drug=drug)
        committed_graph(ledger, "3", "g4", drug="ASA")
        ledger.documents.delete([a_key("1")])
        ledger.graph.write("g2", [(a_key("2"), an_extraction(a_key("2"), drug="aspirin"))])
        before = ledger.graph.concepts(TENANT)
        assert [(each.name, each.documents) for each in before] == [("ASA", 2), ("headache", 2)]
        assert ledger.graph.recount(TENANT) is False
        assert ledger.graph.concepts(TENANT) == before

    def test_what_is_discarded_is_gone_and_the_rest_stays(self, ledger: Ledger) -> None:
        items = [(a_key(doc_id), an_extraction(a_key(doc_id))) for doc_id in ("1", "2")]
        ledger.graph.write("g1", items)
        ledger.graph.write("g2", items)
        ledger.graph.discard(TENANT, "g1", [a_key("1")])
        ledger.graph.discard(TENANT, "g1", [a_key("1")])
        assert {(each.key.doc_id, each.intent_id) for each in ledger.graph.holdings(TENANT)} == {
            ("2", "g1"),
            ("1", "g2"),
            ("2", "g2"),
        }
        ledger.graph.discard(TENANT, "g2", None)
        assert {(each.key.doc_id, each.intent_id) for each in ledger.graph.holdings(TENANT)} == {("2", "g1")}

    def test_a_deleted_document_takes_its_claims_along(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        committed_graph(ledger, "2", "g2", drug="ibuprofen", concept="MESH:D007052")
        (withdrawn,) = ledger.documents.delete([a_key("1")])
        assert withdrawn.graph_intent_id == "g1"
        assert {each.concept for each in ledger.graph.concepts(TENANT)} == {"MESH:D007052", DISEASE}

    def test_an_erased_document_leaves_no_row(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        ledger.graph.write("g2", [(a_key("1"), an_extraction(a_key("1")))])
        committed_graph(ledger, "2", "g3")
        ledger.documents.erase([a_key("1")])
        assert [each.key.doc_id for each in ledger.graph.holdings(TENANT)] == ["2"]

    def test_a_commit_of_another_graph_intent_supersedes(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        previous = ledger.commits.find(a_key("1"))
        assert previous is not None
        again = previous.model_copy(update={"graph_intent_id": "g2"})
        assert ledger.commits.commit([again]) == [previous]
        assert ledger.commits.commit([again]) == []
        without = again.model_copy(update={"graph_intent_id": None, "entity_count": 0, "claim_count": 0})
        assert ledger.commits.commit([without]) == [again]

    def test_a_graph_intent_stays_while_a_document_is_visible_under_it(self, ledger: Ledger) -> None:
        intent = ledger.commits.open_intent(TENANT, "owner", [a_key("1")])
        committed_graph(ledger, "1", intent.intent_id)
        ledger.commits.close_intents([intent.intent_id])
        assert [each.intent_id for each in ledger.commits.intents(TENANT)] == [intent.intent_id]
        assert ledger.commits.recorded([intent.intent_id, "unknown"]) == {intent.intent_id}
        ledger.commits.begin_cleaning(["g2"])
        with pytest.raises(LeaseLostError):
            committed_graph(ledger, "2", "g2")

    def test_a_copy_of_all_tables_has_the_graph(self, ledger: Ledger) -> None:
        committed_graph(ledger, "1", "g1")
        with ledger.copies.export_tables() as tables:
            copied = {table.name: replace(table, rows=iter(list(table.rows))) for table in tables}
        before = ledger.graph.statements(TENANT)
        ledger.graph.discard(TENANT, "g1", None)
        ledger.copies.import_tables(copied)
        assert ledger.graph.statements(TENANT) == before
        committed_graph(ledger, "2", "g2")
        assert ledger.graph.counts(TENANT).documents == 2
