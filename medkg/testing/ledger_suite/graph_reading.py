"""What readers see of the graph: concepts merged and taken apart, retractions, and what joins them.

`GraphReadingSuite` is for every GraphReader: a subclass gives `ledger`, where the documents are written, and,
if it reads elsewhere, `reader` and `projected`, which brings the reader up to date.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_key
from medkg.testing.ledger_suite.graph_joining import GraphJoiningSuite
from medkg.testing.ledger_suite.graph_published import KEYS, Said, publish
from orchestration.contracts import Alias, DocumentFacts, GraphReader, Ledger
from orchestration.errors import UsageError

__all__ = ["GraphReadingSuite"]


def snapshot(reader: GraphReader) -> list[Any]:
    """What a reader sees of small graphs, to compare."""
    concepts = reader.concepts(TENANT)
    return [
        concepts,
        reader.statements(TENANT),
        [reader.neighbours(TENANT, each.concept) for each in concepts],
        reader.conflicts(TENANT),
        reader.proposals(TENANT),
        reader.counts(TENANT),
    ]


class GraphReadingSuite(GraphJoiningSuite):
    """Promises of GraphReader and of aliases; `LedgerSuite` has it for the ledger itself."""

    # --- concepts -----------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "name",
        [
            '5-\u03b1 "R" \\ inhibitor',
            "na\u00efve\ncells",
            "it's 100%s ? {}",
            "\U0001f9ec gene",
            "Stra\u00dfe",
        ],
    )
    def test_names_of_any_characters_are_counted_and_taken_off(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None], name: str
    ) -> None:
        for doc_id in ("1", "2"):
            publish(ledger, doc_id, [(name, "treats", "pain"), (name, "treats", name)])
        projected()
        (concept,) = reader.concepts(TENANT, named=name, exactly=True)
        assert (concept.concept, concept.name) == (f"TOY:{name}", name)
        assert (concept.documents, concept.mentions) == (2, 6)
        (neighbour,) = reader.neighbours(TENANT, "MESH:D010146")
        assert neighbour.concept == concept
        ledger.documents.delete([a_key("1")])
        projected()
        (concept,) = reader.concepts(TENANT, named=name, exactly=True)
        assert (concept.documents, concept.mentions) == (1, 3)
        ledger.documents.delete([a_key("2")])
        projected()
        assert reader.concepts(TENANT) == []
        assert not ledger.graph.recount(TENANT), "the counts are those made again from nothing"

    # --- aliases ------------------------------------------------------------------------------------

    def test_merged_concepts_are_one_for_every_reader(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("aspirin", "treats", "headache")])
        publish(ledger, "2", [("acetylsalicylic acid", "treats", "headache"), ("aspirin", "treats", "fever")])
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        projected()
        aspirin, headache, fever = reader.concepts(TENANT)
        assert (aspirin.concept, aspirin.documents, aspirin.mentions) == ("MESH:D001241", 2, 3)
        assert aspirin.name == "aspirin"
        for key in ("CHEBI:15365", "MESH:D001241"):
            assert reader.concepts(TENANT, keys=[key]) == [aspirin]
            near = reader.neighbours(TENANT, key)
            assert [(each.concept, each.documents) for each in near] == [(headache, 2), (fever, 1)]
            assert len(reader.statements(TENANT, concepts=[key])) == 3
        (of_headache,) = reader.neighbours(TENANT, "MESH:D006261")
        assert (of_headache.concept, of_headache.claims, of_headache.outgoing) == (aspirin, 2, False)
        assert reader.concepts(TENANT, named="acetyl") == [aspirin]
        assert reader.counts(TENANT).concepts == 3
        statement = reader.statements(TENANT, subject="MESH:D001241", object_="MESH:D006261")[1]
        assert (statement.subject.concept, statement.subject_concept) == ("CHEBI:15365", "MESH:D001241")

    def test_documents_mention_a_concept_by_any_of_its_keys(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        first = publish(ledger, "1", [("aspirin", "treats", "headache")])
        second = publish(ledger, "2", [("acetylsalicylic acid", "treats", "fever")])
        publish(ledger, "1", [("aspirin", "treats", "pain")], tenant_id="other")
        projected()
        assert reader.mentioning(TENANT, ["MESH:D001241"]) == {first}
        assert reader.mentioning(TENANT, ["MESH:D005334", "MESH:D006261"]) == {first, second}
        assert reader.mentioning(TENANT, []) == reader.mentioning(TENANT, ["TOY:unknown"]) == frozenset()
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        projected()
        for key in ("CHEBI:15365", "MESH:D001241"):
            assert reader.mentioning(TENANT, [key]) == {first, second}
        ledger.documents.delete([first])
        projected()
        assert reader.mentioning(TENANT, ["MESH:D001241"]) == {second}

    def test_what_a_question_names_and_which_documents_say_most_of_it(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        one_concept = publish(ledger, "1", [("aspirin", "treats", "fever")])
        both = publish(ledger, "2", [("acetylsalicylic acid", "treats", "headache")])
        publish(ledger, "3", [("ibuprofen", "treats", "pain")])
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        projected()
        names = ["Aspirin", "acetylsalicylic acid", "headache", "unheard of"]
        named = reader.named(TENANT, names, ["Drug"])
        assert named == dict.fromkeys(names[:2], ("MESH:D001241",))
        concepts = ["MESH:D001241", "MESH:D006261"]
        best, second = reader.documents_on(TENANT, concepts, 10)
        assert (best.key, second.key) == (both, one_concept)
        assert best.intent_id == f"i-{TENANT}-2"
        assert [(each.concept, each.in_claim) for each in best.places] == [(key, True) for key in concepts]
        assert [(each.concept, each.in_claim) for each in second.places] == [("MESH:D001241", False)]
        assert best.places[1].weight > best.places[0].weight > 0, "headache is rarer"
        assert reader.documents_on(TENANT, concepts, 1) == [best]
        assert reader.documents_on(TENANT, [], 10) == []

    def test_an_undone_merge_leaves_nothing(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("aspirin", "treats", "headache"), ("ASA", "treats", "fever")])
        publish(ledger, "2", [("acetylsalicylic acid", "treats", "headache")])
        projected()
        before = snapshot(reader)
        alias = Alias.of("CHEBI:15365", "MESH:D001241", "manual")
        ledger.aliases.add(TENANT, alias)
        ledger.aliases.replace(TENANT, "a.tsv", [Alias.of(KEYS["ASA"][1], "CHEBI:15365", "exact", "a.tsv")])
        projected()
        assert snapshot(reader) != before
        assert ledger.aliases.remove(TENANT, alias_id=alias.alias_id)[0].alias_id == alias.alias_id
        assert len(ledger.aliases.remove(TENANT, origin="a.tsv")) == 1
        assert ledger.aliases.remove(TENANT, origin="a.tsv") == []
        projected()
        assert snapshot(reader) == before

    def test_canonical_keys_depend_on_the_set_of_aliases_alone(self, ledger: Ledger) -> None:
        pairs = [("A:1", "B:1"), ("local:x", "A:1"), ("B:1", "C:1"), ("A:1", "D:1"), ("local:y", "local:z")]
        for order in (pairs, pairs[::-1]):
            for pair in order:
                ledger.aliases.add(TENANT, Alias.of(*pair, "manual"))
            keys = {key for pair in pairs for key in pair}
            joined = dict.fromkeys(("A:1", "B:1", "D:1", "local:x"), "C:1")
            assert ledger.aliases.canonical(TENANT, keys) == {**joined, "local:y": "local:z"}
            for alias in ledger.aliases.entries(TENANT):
                ledger.aliases.remove(TENANT, alias_id=alias.alias_id)
        assert ledger.aliases.canonical(TENANT, keys) == {}

    def test_a_circle_is_refused_and_named_and_mappings_may_have_one(self, ledger: Ledger) -> None:
        ledger.aliases.add(TENANT, Alias.of("A:1", "B:1", "manual"))
        ledger.aliases.add(TENANT, Alias.of("B:1", "C:1", "manual"))
        with pytest.raises(UsageError, match="C:1 -> A:1 would close a circle: A:1 -> B:1 -> C:1"):
            ledger.aliases.add(TENANT, Alias.of("C:1", "A:1", "manual"))
        with pytest.raises(UsageError, match="itself"):
            ledger.aliases.add(TENANT, Alias.of("A:1", "A:1", "manual"))
        both = [Alias.of("X:1", "X:2", "exact", "a.tsv"), Alias.of("X:2", "X:1", "exact", "a.tsv")]
        assert ledger.aliases.replace(TENANT, "a.tsv", both) == 0
        assert ledger.aliases.canonical(TENANT, ["X:1", "X:2"]) == {"X:2": "X:1"}
        assert ledger.aliases.replace(TENANT, "a.tsv", both[:1]) == 1
        assert ledger.aliases.canonical(TENANT, ["X:1", "X:2"]) == {"X:1": "X:2"}

    def test_aliases_are_merged_again_by_later_commits_and_made_again_from_nothing(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        publish(ledger, "1", [("aspirin", "treats", "headache")])
        publish(ledger, "2", [("acetylsalicylic acid", "treats", "headache")])
        publish(ledger, "3", [("aspirin", "treats", "acetylsalicylic acid")])
        ledger.documents.delete([a_key("1")])
        projected()
        (aspirin, *_) = reader.concepts(TENANT)
        assert (aspirin.documents, aspirin.mentions) == (2, 3)
        before = snapshot(reader)
        assert ledger.graph.recount(TENANT) is False, "counts were true"
        projected()
        assert snapshot(reader) == before

    def test_aliases_are_each_tenants_own(self, ledger: Ledger) -> None:
        for tenant_id in (TENANT, "other"):
            said = [("aspirin", "treats", "headache"), ("acetylsalicylic acid", "treats", "headache")]
            publish(ledger, "1", said, tenant_id=tenant_id)
        ledger.aliases.add("other", Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        assert len(ledger.graph.concepts(TENANT)) == 3
        assert len(ledger.graph.concepts("other")) == 2
        assert ledger.aliases.entries(TENANT) == []

    # --- retraction ---------------------------------------------------------------------------------

    def test_what_rests_on_retracted_documents_alone_is_marked(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        facts = DocumentFacts(title="A", year=2001, study_type="Clinical Trial", retracted=True)
        publish(ledger, "1", [("aspirin", "treats", "headache"), ("aspirin", "treats", "fever")], facts)
        publish(ledger, "2", [("aspirin", "treats", "headache")], DocumentFacts(year=2002))
        projected()
        marks = {each.name: each.retracted for each in reader.concepts(TENANT)}
        assert marks == {"aspirin": False, "headache": False, "fever": True}
        near = {each.concept.name: each.retracted for each in reader.neighbours(TENANT, "MESH:D001241")}
        assert near == {"headache": False, "fever": True}
        stated = [(each.key.doc_id, each.year, each.retracted) for each in reader.statements(TENANT)]
        assert stated == [("1", 2001, True), ("1", 2001, True), ("2", 2002, False)]
        (path,) = reader.paths(TENANT, "MESH:D006261", "MESH:D005334").paths
        assert path.retracted
        assert reader.counts(TENANT).retracted_documents == 1

    def test_a_notice_among_the_documents_retracts_while_it_is_visible(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("aspirin", "treats", "fever")], DocumentFacts(identifiers=("pmid:1", "doi:x")))
        publish(ledger, "2", [], DocumentFacts(identifiers=("pmid:2",), retracts=("doi:x", "pmid:9")))
        projected()
        (statement,) = reader.statements(TENANT)
        assert statement.retracted
        assert [each.retracted for each in reader.concepts(TENANT)] == [True, True]
        ledger.documents.delete([a_key("2")])
        projected()
        assert [each.retracted for each in reader.statements(TENANT)] == [False]
        facts = ledger.graph.facts(a_key("1"), f"g-{TENANT}-1")
        assert facts == DocumentFacts(identifiers=("doi:x", "pmid:1"))

    def test_records_of_one_publication_count_once_while_they_share_identifiers(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        identifiers = {
            "1": ("doi:10.1000/x",),
            "2": ("pmid:7", "pmcid:pmc8"),
            "3": ("doi:10.1000/x", "pmid:7"),
            "4": ("pmid:70", "nct:nct00000001"),
            "5": ("nct:nct00000001",),
        }
        for doc_id, of_document in identifiers.items():
            publish(ledger, doc_id, [("aspirin", "treats", "pain")], DocumentFacts(identifiers=of_document))
        publish(ledger, "6", [Said("aspirin", "treats", "pain", negated=True)])
        facts = DocumentFacts(identifiers=("doi:10.1000/x",))
        publish(ledger, "1", [("aspirin", "treats", "pain")], facts, "other")
        projected()
        keys = {doc_id: a_key(doc_id) for doc_id in "123456"}
        first = {"1": "1", "2": "1", "3": "1", "4": "4", "5": "5", "6": "6"}
        publications = {keys[doc_id]: keys[of] for doc_id, of in first.items()}
        assert reader.publications(list(keys.values())) == publications
        assert reader.publications([keys["2"]]) == {keys["2"]: keys["1"]}
        (conflict,) = reader.conflicts(TENANT)
        assert [(each.documents, each.publications) for each in conflict.positions] == [(5, 3), (1, 1)]

        ledger.documents.delete([keys["3"]])
        projected()
        assert reader.publications([keys["1"], keys["2"]]) == {keys["1"]: keys["1"], keys["2"]: keys["2"]}
        (conflict,) = reader.conflicts(TENANT)
        assert [(each.documents, each.publications) for each in conflict.positions] == [(4, 4), (1, 1)]
