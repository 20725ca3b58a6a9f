"""What readers see of concepts that claims join: paths, conflicts, and what is proposed of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.graph_published import KEYS, Said, publish
from orchestration.contracts import Alias, Conflict, DocumentFacts, GraphReader, Ledger

__all__ = ["GraphJoiningSuite"]


class GraphJoiningSuite:
    """Promises of GraphReader about joined concepts; a part of GraphReadingSuite."""

    @pytest.fixture
    def reader(self, ledger: Ledger) -> GraphReader:
        return ledger.graph

    @pytest.fixture
    def projected(self) -> Callable[[], None]:
        """Brings the reader up to date."""
        return lambda: None

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
