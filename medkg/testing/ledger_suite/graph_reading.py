"""What readers see of the graph: concepts merged and taken apart, retractions, paths, conflicts, proposals.

`GraphReadingSuite` is for every GraphReader: a subclass gives `ledger`, where the documents are written, and,
if it reads elsewhere, `reader` and `projected`, which brings the reader up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_commit, a_context, a_key
from orchestration.contracts import Alias, Conflict, DocumentFacts, GraphReader, Ledger
from orchestration.errors import UsageError
from orchestration.records import Claim, DocumentKey, Entity, Span, local_concept

__all__ = ["GraphReadingSuite", "Said", "publish"]

KEYS = {
    "aspirin": ("Drug", "MESH:D001241"),
    "acetylsalicylic acid": ("Drug", "CHEBI:15365"),
    "ASA": ("Drug", local_concept("Drug", "ASA")),
    "headache": ("Condition", "MESH:D006261"),
    "fever": ("Condition", "MESH:D005334"),
    "pain": ("Condition", "MESH:D010146"),
    "Phase 3": ("Phase", "local:phase3"),
}
"""Kind and key by name; any other name is a drug with the key TOY:NAME."""


class Said(NamedTuple):
    """A claim between two names of KEYS, or other names."""

    subject: str
    predicate: str
    object: str
    negated: bool = False
    direction: Literal["increased", "decreased", "unchanged"] | None = None
    confidence: float = 1.0


def publish(
    ledger: Ledger,
    doc_id: str,
    said: Sequence[Said | tuple[str, str, str]],
    facts: DocumentFacts | None = None,
    tenant_id: str = TENANT,
) -> DocumentKey:
    """Write the claims of a document and commit it."""
    key = a_key(doc_id).model_copy(update={"tenant_id": tenant_id})
    common: dict[str, Any] = {"tenant_id": tenant_id, "doc_id": doc_id, "extraction": "toy/1"}
    entities: list[Entity] = []
    claims: list[Claim] = []
    start = 0
    for number, each in enumerate(Said(*each) for each in said):
        ends = []
        for name in (each.subject, each.object):
            kind, concept = KEYS.get(name, ("Drug", f"TOY:{name}"))
            span = Span(start_char=start, end_char=start + len(name))
            entity_id = f"{doc_id}-{start}"
            ends.append(entity_id)
            entities.append(
                Entity(entity_id=entity_id, kind=kind, name=name, span=span, concept=concept, **common)
            )
            start += len(name) + 1
        claims.append(
            Claim(
                claim_id=f"{doc_id}-c{number}",
                subject=ends[0],
                predicate=each.predicate,
                object=ends[1],
                evidence=(Span(start_char=0, end_char=start),),
                negated=each.negated,
                direction=each.direction,
                confidence=each.confidence,
                **common,
            )
        )
    intent = f"g-{tenant_id}-{doc_id}"
    ledger.graph.write(intent, [(key, (entities, claims))], {} if facts is None else {key: facts})
    commit = a_commit(a_context(doc_id), f"i-{tenant_id}-{doc_id}")
    counts = {"entity_count": len(entities), "claim_count": len(claims)}
    ledger.commits.commit([commit.model_copy(update={"key": key, "graph_intent_id": intent, **counts})])
    return key


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


class GraphReadingSuite:
    """Promises of GraphReader and of aliases; `LedgerSuite` has it for the ledger itself."""

    @pytest.fixture
    def reader(self, ledger: Ledger) -> GraphReader:
        return ledger.graph

    @pytest.fixture
    def projected(self) -> Callable[[], None]:
        """Brings the reader up to date."""
        return lambda: None

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

    # --- paths --------------------------------------------------------------------------------------

    def test_paths_join_by_the_fewest_steps_and_the_most_specific_concepts(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("a", "treats", "common"), ("b", "causes", "common"), ("a", "has", "rare")])
        publish(ledger, "2", [("b", "has", "rare"), ("c", "treats", "common")])
        publish(ledger, "3", [("common", "causes", "d")])
        projected()
        answer = reader.paths(TENANT, "TOY:a", "TOY:b")
        assert [[each.name for each in path.concepts] for path in answer.paths] == [
            ["a", "rare", "b"],
            ["a", "common", "b"],
        ]
        (first, second) = answer.paths[1].links
        assert [(each.predicate, each.outgoing, each.documents) for each in first] == [("treats", True, 1)]
        assert [(each.predicate, each.outgoing) for each in second] == [("causes", False)]
        assert not answer.truncated
        assert reader.paths(TENANT, "TOY:a", "TOY:b", limit=1).paths == answer.paths[:1]
        only = reader.paths(TENANT, "TOY:a", "TOY:b", predicates=["has"]).paths
        assert [path.concepts[1].name for path in only] == ["rare"]
        assert reader.paths(TENANT, "TOY:a", "TOY:a").paths == ()
        assert reader.paths(TENANT, "TOY:a", "TOY:nowhere").paths == ()

    def test_hubs_are_named_and_not_passed_through(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        for doc_id in ("1", "2", "3"):
            publish(ledger, doc_id, [(doc_id, "in_phase", "Phase 3")])
        publish(ledger, "4", [("1", "has", "x"), ("2", "has", "x")])
        projected()
        answer = reader.paths(TENANT, "TOY:1", "TOY:2", max_documents=2)
        assert [path.concepts[1].name for path in answer.paths] == ["x"]
        assert [each.name for each in answer.hubs] == ["Phase 3"]
        direct = reader.paths(TENANT, "TOY:1", "local:phase3", max_hops=1, max_documents=2)
        assert len(direct.paths) == 1, "an end may be a hub"

    def test_longer_paths_are_found_to_four_steps_without_repeats(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(
            ledger, "1", [("a", "r", "b"), ("b", "r", "c"), ("d", "r", "c"), ("d", "r", "e"), ("b", "r", "a")]
        )
        projected()
        for hops, end in ((1, "b"), (2, "c"), (3, "d"), (4, "e")):
            if hops > 1:
                assert reader.paths(TENANT, "TOY:a", f"TOY:{end}", max_hops=hops - 1).paths == ()
            (path,) = reader.paths(TENANT, "TOY:a", f"TOY:{end}", max_hops=4).paths
            assert [each.name for each in path.concepts] == list("abcde")[: hops + 1]
            back = reader.paths(TENANT, f"TOY:{end}", "TOY:a", max_hops=4).paths[0]
            assert back.concepts == path.concepts[::-1]

    def test_paths_go_through_merged_concepts(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("a", "r", "aspirin"), ("b", "r", "acetylsalicylic acid")])
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        projected()
        (path,) = reader.paths(TENANT, "TOY:a", "TOY:b").paths
        assert path.concepts[1].concept == "MESH:D001241"
        assert [len(step) for step in path.links] == [1, 1]

    # --- conflicts and proposals --------------------------------------------------------------------

    def test_claims_conflict_that_deny_one_another_or_differ_in_direction(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [Said("aspirin", "affects", "pain", direction="decreased")])
        publish(ledger, "2", [Said("aspirin", "affects", "pain", direction="increased")])
        publish(ledger, "3", [Said("aspirin", "affects", "pain", direction="decreased")])
        publish(ledger, "4", [Said("aspirin", "treats", "fever"), Said("b", "treats", "pain", negated=True)])
        publish(ledger, "5", [Said("aspirin", "treats", "fever", negated=True)])
        publish(
            ledger, "6", [Said("b", "affects", "pain", direction="increased"), Said("b", "affects", "pain")]
        )
        projected()
        first, second = reader.conflicts(TENANT)
        assert self._sides(first) == [(False, "decreased", ["1", "3"]), (False, "increased", ["2"])]
        assert (first.subject.name, first.predicate, first.object.name) == ("aspirin", "affects", "pain")
        assert self._sides(second) == [(False, None, ["4"]), (True, None, ["5"])]
        assert reader.conflicts(TENANT, predicate="treats") == [second]
        assert reader.conflicts(TENANT, concept="MESH:D005334") == [second]
        assert reader.conflicts(TENANT, concept="TOY:b") == []
        assert reader.conflicts(TENANT, limit=1) == [first]

    def test_merged_concepts_conflict_too_and_retraction_is_counted(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(ledger, "1", [("aspirin", "treats", "pain")], DocumentFacts(retracted=True))
        publish(ledger, "2", [Said("acetylsalicylic acid", "treats", "pain", negated=True)])
        projected()
        assert reader.conflicts(TENANT) == []
        ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
        projected()
        (conflict,) = reader.conflicts(TENANT)
        assert [each.retracted_documents for each in conflict.positions] == [1, 0]

    @staticmethod
    def _sides(conflict: Conflict) -> list[tuple[bool, str | None, list[str]]]:
        return [
            (each.negated, each.direction, [statement.key.doc_id for statement in each.statements])
            for each in conflict.positions
        ]

    def test_names_without_a_key_shared_names_and_weak_claims_are_proposed(
        self, ledger: Ledger, reader: GraphReader, projected: Callable[[], None]
    ) -> None:
        publish(
            ledger, "1", [("ASA", "treats", "headache"), Said("aspirin", "treats", "pain", confidence=0.2)]
        )
        publish(ledger, "2", [("ASA", "in_phase", "Phase 3")])
        projected()
        proposals = {each.kind: each for each in reader.proposals(TENANT)}
        assert proposals.keys() == {"unlinked", "low_confidence"}, "no phase has a vocabulary"
        assert proposals["unlinked"].concepts[0].concept == KEYS["ASA"][1]
        weak = proposals["low_confidence"]
        assert (weak.claim_id, weak.confidence, weak.name) == ("1-c1", 0.2, "aspirin treats pain")
        ledger.aliases.add(TENANT, Alias.of("MESH:D006261", "MESH:D010146", "manual"))
        projected()
        (merged,) = [each for each in reader.proposals(TENANT) if each.kind == "merged"]
        assert merged.keys == ("MESH:D006261", "MESH:D010146")

    def test_a_name_of_several_concepts_is_proposed_by_what_it_may_be(
        self,
        ledger: Ledger,
        reader: GraphReader,
        projected: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for number, (kind, concept, name) in enumerate(
            [
                ("Drug", "MESH:D1", "Cold"),
                ("Condition", "MESH:D2", "cold"),
                ("Drug", "MESH:D3", "Aspirin"),
                ("Drug", "local:a", "aspirin "),
            ]
        ):
            monkeypatch.setitem(KEYS, name, (kind, concept))
            publish(ledger, str(number), [(name, "r", f"other{number}")])
        projected()
        proposals = [each for each in reader.proposals(TENANT) if each.kind in ("same_name", "name_only")]
        assert {(each.kind, each.name) for each in proposals} == {
            ("same_name", "cold"),
            ("name_only", "aspirin"),
        }
