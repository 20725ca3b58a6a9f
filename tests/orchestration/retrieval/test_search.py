"""Hybrid search: what is found, cited and visible, and what happens when a leg is slow or dead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from medkg.testing.builders import TENANT, a_context
from orchestration.contracts import Candidate, Filters, Visible
from orchestration.errors import (
    IndexMissingError,
    PlaneUnavailableError,
    SearchLegTimeoutError,
    UsageError,
)
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.fusion import CANDIDATES, FUSIONS
from orchestration.retrieval.leg_threads import THREADS
from orchestration.retrieval.legs import Bm25Leg, DenseLeg
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.retrieval.conftest import ALeg, query_vectors
from tests.orchestration.stores.data_folder import DataFolder
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
MakeSearch = Callable[..., HybridSearch]


def bodies(search: HybridSearch, query: str, tenant_id: str = TENANT, **options: object) -> list[str]:
    result = search.search(tenant_id, query, **options)  # type: ignore[arg-type]
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    return [hit.chunk.body for hit in result.hits]


# --- finding ----------------------------------------------------------------------------------------


def test_a_hit_cites_its_place_and_its_rank_in_each_leg(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping", "3": "zzz"})
    result = make_search().search(TENANT, "walking")
    first = result.hits[0].as_json()
    assert first["legs"] == {"bm25": 1, "sparse": 1, "dense": 1}
    assert (first["doc_id"], first["source"], first["text"]) == ("1", "files", "walking")
    assert (first["start_char"], first["end_char"], first["rank"]) == (0, 7, 1)
    assert result.degraded == ()
    assert result.hits[-1].as_json()["legs"].keys() == {"dense"}


def test_legs_can_be_chosen_and_named_twice(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    search = make_search()
    assert search.legs == ("bm25", "sparse", "dense")
    assert bodies(search, "walking", legs=["bm25", "bm25"]) == ["walking", "walking again"]
    assert bodies(search, "wallpaper", legs=["sparse"]) == ["walking", "walking again"]
    assert len(bodies(search, "walking", legs=["dense"])) == 4
    assert bodies(search, "unheard-of", legs=["bm25"]) == []


def test_no_more_than_asked_for_is_given(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({str(number): f"walking {number}" for number in range(150)})
    search = make_search()
    assert len(bodies(search, "walking")) == 10
    assert len(bodies(search, "walking", top=120)) == 120
    assert len(bodies(search, "walking", top=1000)) == 300


def test_a_passage_that_a_document_repeats_is_reported_once(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"1": "walking", "2": "walking"})
    data.commit(data.stage({"1": "walking"}))
    search = make_search(
        ALeg("one", lambda: candidates(data, "walking")), ALeg("two", lambda: candidates(data, "again"))
    )
    texts = [(hit.chunk.doc_id, hit.chunk.body) for hit in search.search(TENANT, "walking").hits]
    assert len(texts) == len(set(texts))
    assert {doc_id for doc_id, _ in texts} == {"1", "2"}


def candidates(data: DataFolder, query: str) -> list[Candidate]:
    return data.search.bm25(TENANT, query, 100, Filters(), lambda ref: True)


def test_filters_hold_for_every_leg(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    search = make_search()
    assert bodies(search, "walking", filters=Filters(source=("pmc",))) == []
    assert len(bodies(search, "walking", filters=Filters(source=("files",), section=()))) == 2


def test_hits_are_of_the_documents_within_which_is_searched(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({str(number): f"walking {number}" for number in range(300)} | {"PMC7": "walking far"})
    search = make_search()
    only = frozenset({a_context("297", source="files").key})
    assert set(bodies(search, "walking", within=only)) == {"walking 297", "walking 297 again"}
    assert bodies(search, "PMC7 walking", within=frozenset()) == []


def test_the_words_of_the_query_are_marked_in_the_documents_text(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"1": "She walks; α-blockers, walking"})
    hits = make_search().search(TENANT, "Walked α").hits
    for hit in hits:
        text = " " * hit.chunk.start_char + hit.chunk.body
        assert [text[start:end] for start, end in hit.highlights] == ["walks", "α", "walking"]
    assert {hit.chunk.start_char for hit in hits} != {0}
    assert hits[0].as_json()["highlights"] == [list(span) for span in hits[0].highlights]


def test_a_fusion_can_be_chosen_for_one_search(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "walking home", "3": "sleeping"})
    search = make_search()
    answers = {name: search.search(TENANT, "walking", fusion=fusion) for name, fusion in FUSIONS.items()}
    assert {answer.hits[0].chunk.body for answer in answers.values()} == {"walking"}
    assert answers["rrf"].hits[0].score == pytest.approx(3 / 61)
    assert search.search(TENANT, "walking").hits == answers["zscore"].hits


# --- by identifier ----------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("legs", [None, ["bm25"], ["sparse"], ["dense"]])
def test_a_document_that_the_query_names_comes_first(
    data: DataFolder, make_search: MakeSearch, legs: list[str] | None, group: bool
) -> None:
    mentions = {str(number): "an extension of NCT01234567" for number in range(120)}
    data.ingest({**mentions, "NCT01234567": "walking"})
    hits = make_search().search(TENANT, "NCT 01234567", legs=legs, group=group).hits
    assert hits[0].chunk.doc_id == "NCT01234567"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.chunk.chunk_id for hit in hits}) == len(hits)


def test_a_named_document_is_cited_by_its_best_chunk(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"NCT01234567": "walking", "1": "walking again NCT01234567"})
    hits = make_search().search(TENANT, "again nct01234567", legs=["bm25"]).hits
    assert (hits[0].chunk.doc_id, hits[0].chunk.body) == ("NCT01234567", "walking again")


def test_a_named_document_obeys_filters_conditions_and_visibility(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"PMC7": "walking", "1": "sleeping"})
    search = make_search()
    assert bodies(search, "PMC7", legs=["bm25"]) == ["walking"]
    assert bodies(search, "PMC7", legs=["bm25"], filters=Filters(source=("pmc",))) == []
    again = bodies(search, "PMC7", legs=["bm25"], matching=lambda key, chunk: "again" in chunk.body)
    assert again == ["walking again"]
    data.ledger.documents.delete([a_context("PMC7", source="files").key])
    assert bodies(search, "PMC7", legs=["bm25"]) == []


# --- by document ------------------------------------------------------------------------------------


def test_grouped_hits_are_one_a_document_with_its_best_chunk(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"1": "walking", "2": "walking home", "3": "zzz"})
    hits = make_search().search(TENANT, "walking", group=True).hits
    assert [hit.chunk.doc_id for hit in hits] == ["1", "2", "3"]
    assert [hit.chunk.body for hit in hits] == ["walking", "walking home", "zzz again"]
    assert [hit.as_json()["further_chunks"] for hit in hits] == [1, 1, 1]
    alone = make_search().search(TENANT, "home", legs=["bm25"], group=True).hits
    assert [(hit.chunk.doc_id, hit.further_chunks) for hit in alone] == [("2", 1)]
    assert "further_chunks" not in make_search().search(TENANT, "walking").hits[0].as_json()


class LongDocumentFirst:
    """A leg that finds many chunks of one document before one each of others."""

    name = "bm25"

    def __init__(self, data: DataFolder, chunks: int, until: Event | None = None) -> None:
        (long, *_) = candidates(data, "long")
        others = candidates(data, "other")
        self._all = [Candidate(replace(long.ref, chunk_id=f"{number:05}"), 9.0) for number in range(chunks)]
        self._all = [Candidate(long.ref, 10.0), *self._all, *others]
        self._until = until

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        if limit > CANDIDATES and self._until is not None:
            self._until.wait()
        return self._all[:limit]


def test_a_grouped_search_goes_deep_enough_to_fill_its_documents(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"long": "long", "1": "other", "2": "other words"})
    result = make_search(LongDocumentFirst(data, 20 * CANDIDATES)).search(TENANT, "x", top=3, group=True)
    assert [hit.chunk.doc_id for hit in result.hits] == ["long", "1", "2"]
    assert result.hits[0].further_chunks == 20 * CANDIDATES
    assert result.degraded == ()


def test_a_grouped_search_that_runs_out_of_time_gives_what_it_has_and_says_so(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"long": "long", "1": "other"})
    never = Event()
    budgets = Budgets(leg_seconds={"bm25": 0.2})
    search = make_search(LongDocumentFirst(data, CANDIDATES, never), budgets=budgets)
    result = search.search(TENANT, "x", top=2, group=True)
    assert [hit.chunk.doc_id for hit in result.hits] == ["long"]
    assert result.degraded == ("bm25",)
    never.set()


# --- what is visible --------------------------------------------------------------------------------


def test_only_the_committed_version_is_found(data: DataFolder, make_search: MakeSearch) -> None:
    search = make_search()
    data.ingest({"1": "walking", "2": "sleeping"})
    assert bodies(search, "walking")[0] == "walking"
    staged = data.stage({"1": "walking fast"}, version="2")
    assert "walking fast" not in bodies(search, "walking")
    superseded = data.commit(staged)
    assert {"walking fast", "walking"} & set(bodies(search, "walking")) == {"walking fast"}
    data.index.clean(superseded)
    data.ledger.documents.delete([a_context("1", source="files").key])
    assert set(bodies(search, "walking")) == {"sleeping", "sleeping again"}


def test_tenants_never_see_each_other(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    data.ingest({"1": "walking elsewhere"}, tenant_id="other")
    search = make_search()
    assert bodies(search, "walking") == ["walking", "walking again"]
    assert set(bodies(search, "walking", "other")) == {"walking elsewhere", "walking elsewhere again"}
    with pytest.raises(IndexMissingError, match="'third'"):
        search.search("third", "walking")


def test_a_search_before_anything_was_indexed_says_so(make_search: MakeSearch) -> None:
    with pytest.raises(IndexMissingError, match="medkg run"):
        make_search().search(TENANT, "walking")


@pytest.mark.parametrize(
    "query",
    ["?!", "\x00a", "\ud800 walking", "\U0001f600", "a" * 100_000, "AND OR NOT", "10.1000/" + "(" * 9999],
)
def test_any_other_text_is_answered(data: DataFolder, make_search: MakeSearch, query: str) -> None:
    data.ingest({"1": "walking"})
    result = make_search().search(TENANT, query)
    assert result.degraded == ()
    assert len(result.hits) == 2


@pytest.mark.parametrize("query", ["", "  \n", "\x00", "\ud800\u200b", "\u00ad"])
def test_an_empty_query_is_refused(make_search: MakeSearch, query: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        make_search().search(TENANT, query)


def test_an_unknown_leg_is_refused_with_those_there_are(make_search: MakeSearch) -> None:
    with pytest.raises(UsageError, match=r"no leg graph; available: bm25, sparse, dense"):
        make_search().search(TENANT, "walking", legs=["bm25", "graph"])


# --- legs that fail ---------------------------------------------------------------------------------


def unreachable() -> list[Candidate]:
    raise PlaneUnavailableError("the plane is unavailable. Start it: medkg up")


def broken() -> list[Candidate]:
    raise ZeroDivisionError("a defect")


def waiting_for(event: Event) -> Callable[[], list[Candidate]]:
    def wait() -> list[Candidate]:
        event.wait()
        return []

    return wait


@pytest.mark.parametrize("failing", [unreachable, broken])
def test_a_dead_leg_is_left_out_and_named(
    data: DataFolder, make_search: MakeSearch, failing: Callable[[], list[Candidate]]
) -> None:
    data.ingest({"1": "walking"})
    result = make_search(Bm25Leg(data.search), ALeg("dense", failing)).search(TENANT, "walking")
    assert result.degraded == ("dense",)
    assert [hit.chunk.body for hit in result.hits] == ["walking", "walking again"]


def test_each_search_is_observed_with_its_legs(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    noted: list[tuple[str, set[str], tuple[str, ...]]] = []

    def observe(tenant: str, seconds: Mapping[str, float], left_out: Collection[str]) -> None:
        assert all(0 <= took <= seconds["total"] for took in seconds.values())
        noted.append((tenant, set(seconds), tuple(left_out)))

    search = make_search(Bm25Leg(data.search), ALeg("dense", unreachable), observe=observe)
    search.search(TENANT, "walking")
    assert noted == [(TENANT, {"bm25", "total"}, ("dense",))]


def test_a_damaged_segment_leaves_the_words_to_search_by(
    data: DataFolder, make_search: MakeSearch, tmp_path: Path
) -> None:
    data.ingest({"1": "walking"})
    (segment,) = tmp_path.rglob("*.segment")
    segment.write_bytes(b"rubbish")
    result = make_search().search(TENANT, "walking")
    assert (result.degraded, len(result.hits)) == (("dense",), 2)


def test_a_leg_that_hangs_is_not_waited_for_and_takes_nothing_from_the_others(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"1": "walking"})
    never = Event()
    budgets = Budgets(total_seconds=PATIENCE, other_legs_seconds=PATIENCE, leg_seconds={"dense": 0.2})
    search = make_search(Bm25Leg(data.search), ALeg("dense", waiting_for(never)), budgets=budgets)
    for _ in range(2 * THREADS):
        result = search.search(TENANT, "walking")
        assert (result.degraded, len(result.hits)) == (("dense",), 2)
    never.set()


def test_each_leg_has_its_own_budget(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    never = Event()

    def slowly() -> list[Candidate]:
        never.wait(0.5)
        return candidates(data, "walking")

    patient = ALeg("sparse", slowly)
    hasty = ALeg("dense", waiting_for(never))
    budgets = Budgets(
        total_seconds=PATIENCE, other_legs_seconds=PATIENCE, leg_seconds={"sparse": PATIENCE, "dense": 0.1}
    )
    result = make_search(hasty, patient, budgets=budgets).search(TENANT, "walking")
    assert (result.degraded, len(result.hits)) == (("dense",), 2)
    never.set()


def test_a_leg_that_answers_after_its_budget_is_left_out_though_others_still_run(
    data: DataFolder, make_search: MakeSearch
) -> None:
    data.ingest({"1": "walking"})
    over = Event()

    def late() -> list[Candidate]:
        over.wait()
        return candidates(data, "again")

    def after_the_late_one() -> list[Candidate]:
        over.wait(3.0)
        over.set()
        return candidates(data, "walking")

    legs = ALeg("late", late), ALeg("slow", after_the_late_one)
    budgets = Budgets(total_seconds=PATIENCE, other_legs_seconds=PATIENCE, leg_seconds={"late": 0.1})
    result = make_search(*legs, budgets=budgets).search(TENANT, "walking")
    assert result.degraded == ("late",)
    assert {leg for hit in result.hits for leg in hit.legs} == {"slow"}


def test_the_total_budget_holds_for_legs_that_have_more(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    never = Event()
    budgets = Budgets(total_seconds=3.0, other_legs_seconds=PATIENCE)
    legs = Bm25Leg(data.search), ALeg("sparse", waiting_for(never)), ALeg("dense", waiting_for(never))
    result = make_search(*legs, budgets=budgets).search(TENANT, "walking")
    assert (result.degraded, len(result.hits)) == (("sparse", "dense"), 2)
    never.set()


@pytest.mark.parametrize(
    "wrong", [{"total_seconds": 0.0}, {"other_legs_seconds": -1.0}, {"leg_seconds": {"dense": float("nan")}}]
)
def test_a_budget_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="seconds above 0"):
        Budgets(**wrong)


def test_when_no_leg_answers_the_reason_is_reported(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    with pytest.raises(PlaneUnavailableError, match="medkg up"):
        make_search(ALeg("dense", unreachable)).search(TENANT, "walking")
    with pytest.raises(ZeroDivisionError):
        make_search(ALeg("dense", unreachable), ALeg("bm25", broken)).search(TENANT, "walking")
    never = Event()
    slow = make_search(ALeg("dense", waiting_for(never)), budgets=Budgets(total_seconds=0.05))
    with pytest.raises(SearchLegTimeoutError, match=r"leg dense .* within the search's 0\.05 s"):
        slow.search(TENANT, "walking")
    never.set()


def test_a_process_ends_while_a_leg_hangs() -> None:
    program = (
        "import threading\n"
        "from orchestration.retrieval.leg_threads import LegThreads\n"
        "started = threading.Event()\n"
        "LegThreads('dense').submit(lambda: (started.set(), threading.Event().wait()))\n"
        "started.wait()\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=PATIENCE, check=False).returncode
        == 0
    )


# --- under load -------------------------------------------------------------------------------------


def test_searches_in_many_threads_answer_alike(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({str(number): f"walking {'fast ' * number}" for number in range(20)})
    search = make_search()
    expected = bodies(search, "walking fast")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: bodies(search, "walking fast"), range(40)))
    assert answers == [expected] * 40


def test_dense_candidates_are_of_the_querys_model_alone(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    other = DenseLeg(data.vectors, lambda texts: (query_vectors(texts)[0], "another-model"))
    assert bodies(make_search(other), "walking") == []


def test_searching_imports_neither_haystack_nor_torch() -> None:
    program = (
        "import sys, orchestration.retrieval.search, orchestration.retrieval.evaluation\n"
        "print([name for name in ('haystack', 'torch', 'faiss', 'ray') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, cwd=ROOT, text=True).strip() == "[]"
