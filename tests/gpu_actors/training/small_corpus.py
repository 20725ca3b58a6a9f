"""Twelve invented abstracts about different things, to train on in a few steps."""

from __future__ import annotations

from typing import Any, Final

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.profiles import find_model
from gpu_actors.training.corpus import Corpus, gather
from gpu_actors.training.recipe import Progress, Recipe
from medkg.testing.builders import a_document, an_abstract
from orchestration.records import Document

BASE: Final = find_model("all-MiniLM-L6-v2").files
TOKENIZER: Final = TextTokenizer(BASE, 512)

SUBJECTS: Final = (
    ("walking", "insomnia in adults", "sleep duration by actigraphy"),
    ("metformin", "type 2 diabetes", "glycated haemoglobin"),
    ("a salt substitute", "raised blood pressure", "systolic pressure at the clinic"),
    ("inhaled budesonide", "childhood asthma", "night-time wheeze"),
    ("a bubble helmet", "acute respiratory failure", "intubation of the trachea"),
    ("vitamin D drops", "rickets in infants", "radiographs of the wrist"),
    ("tranexamic acid", "bleeding after birth", "blood lost within a day"),
    ("cognitive therapy", "panic disorder", "attacks a week"),
    ("a rotavirus vaccine", "diarrhoea in toddlers", "admissions to hospital"),
    ("early mobilisation", "hip fracture in the old", "walking without aid"),
    ("fluoride varnish", "tooth decay at school", "new cavities on examination"),
    ("allopurinol", "gout of the foot", "serum urate"),
)


def texts_of(treatment: str, illness: str, outcome: str) -> dict[str, str]:
    """The sections of an abstract."""
    return {
        "BACKGROUND": f"Whether {treatment} helps people with {illness} is not well known. Small studies "
        f"of {treatment} disagreed with each other, and most were short.",
        "METHODS": f"We randomly assigned 214 patients with {illness} to {treatment} or usual care for six "
        f"months. The primary outcome was {outcome}, judged by staff who did not know the group.",
        "RESULTS": f"Of those given {treatment}, more improved in {outcome} than of those under usual care. "
        "Nine patients left the study early, and no serious harm was seen in either group.",
    }


def small_corpus_records() -> list[dict[str, Any]]:
    """As PubMed-style records, with titles and keywords."""
    return [
        an_abstract(
            str(number),
            title=f"{treatment.capitalize()} for {illness}",
            mesh=["Humans", illness.capitalize(), treatment.capitalize()],
            sections=[
                {"label": label, "text": text}
                for label, text in texts_of(treatment, illness, outcome).items()
            ],
        )
        for number, (treatment, illness, outcome) in enumerate(SUBJECTS, start=1)
    ]


def small_corpus() -> list[Document]:
    """As documents, with keywords."""
    return [
        a_document(
            f"doc-{number}",
            title=f"{treatment.capitalize()} for {illness}",
            sections={label: [text] for label, text in texts_of(treatment, illness, outcome).items()},
        ).model_copy(update={"metadata": {"mesh": ["Humans", illness, treatment]}})
        for number, (treatment, illness, outcome) in enumerate(SUBJECTS)
    ]


def gathered(documents: list[Document] | None = None, **recipe: Any) -> Corpus:
    """The corpus of these documents, else of the small ones."""
    return gather(documents or small_corpus(), TOKENIZER, Recipe(**recipe), unwatched)


def unwatched(progress: Progress) -> None:
    """An observer that ignores all progress."""
