"""The quality gate: neither a leg nor the hybrid answers the demo's questions worse than it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orchestration.assembly import open_data_folder
from orchestration.contracts import Candidate, ChunkRef
from orchestration.retrieval.evaluation import evaluate, read_questions
from orchestration.retrieval.fusion import DEFAULT_FUSION
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import DEMO
from tests.orchestration.end_to_end.one_host.floors import fallen, read_floors

QUESTIONS = DEMO / "questions.jsonl"
FLOORS = read_floors(DEMO / "floors.json")


def of_the_dense_leg_alone(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """A fusion with a defect: it forgets the legs by words."""
    return DEFAULT_FUSION({"dense": legs["dense"]})


@pytest.mark.plane
def test_every_leg_and_the_hybrid_stay_above_their_floors(demo: Medkg) -> None:
    figures = demo("eval", "--questions", str(QUESTIONS))["legs"]

    assert not fallen(figures, FLOORS), "\n" + "\n".join(fallen(figures, FLOORS))


@pytest.mark.plane
def test_a_fusion_that_forgets_legs_falls_through(demo: Medkg) -> None:
    settings = load_settings(data_dir=demo.data_dir, tenant=demo.tenant)
    with open_data_folder(settings) as data_folder:
        search = data_folder.searches.open(None, lambda said: None)
        fusions = {"defective": of_the_dense_leg_alone}
        measured = evaluate(search, settings.tenant, read_questions(QUESTIONS), fusions).as_json()["legs"]
        search.close()

    (*_, problem) = fallen({**measured, "hybrid": measured["defective"]}, FLOORS)

    assert problem.startswith("hybrid: mrr@10 fell by 0.0")


def test_what_fell_is_named_with_leg_measure_and_distance() -> None:
    figures = {leg: dict(measured) for leg, measured in FLOORS["measured"].items()}
    assert fallen(figures, FLOORS) == []
    figures["dense"]["recall@10"] -= FLOORS["margin"] + 0.01
    del figures["sparse"]

    problems = fallen(figures, FLOORS)

    assert problems[0] == "sparse was not measured at all."
    assert problems[1].startswith("dense: recall@10 fell by 0.0300, from 0.9384 (2026-11-30) to 0.9084;")


def test_questions_are_many_and_each_is_about_documents_of_the_corpus() -> None:
    questions = read_questions(QUESTIONS)
    texts = "".join(
        path.read_text(encoding="utf-8")
        for path in (DEMO / "corpus").rglob("*")
        if path.parent.name != "broken" and path.is_file()
    )

    assert len(questions) >= 40 and len({question.question_id for question in questions}) == len(questions)
    for doc_id in {doc_id for question in questions for doc_id in question.relevant}:
        assert doc_id.removeprefix("PMC") in texts
