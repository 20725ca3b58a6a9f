"""How well a model finds the documents that no step of its training saw.

Input: the held-out part of a corpus, the rest as distractors, a model's scores. Output: nDCG@10, recall@10
and MRR@10 as `medkg eval` defines them, documents ranked by their best window; the same for the teacher, for
BM25 and for chance. A question is a sentence that was taken out of its window, a title, or keywords.
"""

from __future__ import annotations

import math
import random
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.training.corpus import Corpus
from gpu_actors.training.pairs import Query, queries_of
from gpu_actors.training.teacher import Embed
from orchestration.records import Float32Matrix, SparseMatrix

__all__ = [
    "Measures",
    "Trial",
    "bm25_scores",
    "chance",
    "dense_scores",
    "judged",
    "sparse_scores",
    "trial_of",
]

Measures: TypeAlias = dict[str, float]

POOL: Final = 1_000
"""Windows that are searched: the held-out ones first, then others, whose documents are never the answer."""
MOST_QUESTIONS: Final = 500
DEPTH: Final = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """Texts of documents, and questions that one document each answers."""

    texts: tuple[str, ...]
    documents: npt.NDArray[np.int64]
    """Number of each text's document, from 0."""
    questions: tuple[str, ...]
    answers: npt.NDArray[np.int64]
    """Number of each question's document."""

    @property
    def size(self) -> int:
        """Documents."""
        return int(self.documents.max()) + 1


def trial_of(held: Corpus, others: Corpus, seed: int) -> Trial | None:
    """The trial of a held-out corpus; None if nothing can be asked of it."""
    drawn = random.Random(f"{seed} trial")
    windows = held.windows[:POOL]
    questions = _held_out_queries(held, len(windows), drawn)
    if not questions:
        return None
    removed = {query.window: query.sentence for query in questions if query.sentence is not None}
    texts = [
        window.without(removed[position]) if position in removed else window.text
        for position, window in enumerate(windows)
    ]
    rest = drawn.sample(others.windows, min(len(others.windows), POOL - len(windows)))
    labels = [("held", window.document) for window in windows] + [("other", w.document) for w in rest]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return Trial(
        (*texts, *(window.text for window in rest)),
        np.array([numbers[label] for label in labels]),
        tuple(query.text for query in questions),
        np.array([numbers["held", windows[query.window].document] for query in questions]),
    )


def _held_out_queries(held: Corpus, windows: int, drawn: random.Random) -> list[Query]:
    """At most one sentence per window that leaves some of it; one title and keywords per document."""
    chosen: dict[tuple[str, int], Query] = {}
    for query in queries_of(held, drawn.randrange(2**32)):
        if query.window >= windows or query.kind == "heading":
            continue
        if query.kind == "sentence":
            if len(held.windows[query.window].sentences) > 1:
                chosen.setdefault(("sentence", query.window), query)
        else:
            chosen.setdefault((query.kind, held.windows[query.window].document), query)
    candidates = list(chosen.values())
    return drawn.sample(candidates, min(len(candidates), MOST_QUESTIONS))


# --- scores, float32 [questions, texts] ----------------------------------------------------------------


def sparse_scores(encoder: SpladeEncoder, trial: Trial) -> tuple[Float32Matrix, Mapping[str, float]]:
    """Dot products of term weights; and the mean number of active terms of a window and of a question."""
    texts, questions = encoder.encode_sparse(trial.texts), encoder.encode_sparse(trial.questions)
    dense = np.zeros((len(texts), texts.vocabulary), dtype=np.float32)
    for number in range(len(texts)):
        terms, weights = texts.row(number)
        dense[number, terms] = weights
    rows = [dense[:, terms] @ weights for terms, weights in map(questions.row, range(len(questions)))]
    return np.stack(rows), {
        "terms_a_window": _mean_terms(texts),
        "terms_a_question": _mean_terms(questions),
    }


def dense_scores(embed: Embed, trial: Trial) -> Float32Matrix:
    """The teacher's cosines."""
    scores: Float32Matrix = embed(trial.questions) @ embed(trial.texts).T
    return scores


def bm25_scores(trial: Trial) -> Float32Matrix:
    """BM25 by SQLite's FTS5, a question's words joined by OR; 0 where no word is found."""
    scores = np.zeros((len(trial.questions), len(trial.texts)), dtype=np.float32)
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE VIRTUAL TABLE texts USING fts5(body)")
        database.executemany("INSERT INTO texts(rowid, body) VALUES (?, ?)", enumerate(trial.texts))
        for number, question in enumerate(trial.questions):
            words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
            if words:
                rows = database.execute(
                    "SELECT rowid, bm25(texts) FROM texts WHERE texts MATCH ?", (words,)
                ).fetchall()
                for row, score in rows:
                    scores[number, row] = -score
    database.close()
    return scores


def judged(trial: Trial, scores: Float32Matrix) -> Measures:
    """Means over questions; of documents with equal scores the answer comes last."""
    best = np.full((trial.size, len(trial.questions)), -np.inf, dtype=np.float32)
    np.maximum.at(best, trial.documents, scores.T)
    own = best[trial.answers, np.arange(len(trial.questions))]
    return _measures((best >= own).sum(axis=0).tolist())


def chance(trial: Trial) -> Measures:
    """What a random order would have in the mean."""
    ranks = range(1, trial.size + 1)
    return _measures(list(ranks))


def _measures(ranks: Sequence[int]) -> Measures:
    within = [rank for rank in ranks if rank <= DEPTH]
    return {
        "ndcg@10": round(sum(1 / math.log2(rank + 1) for rank in within) / len(ranks), 4),
        "recall@10": round(len(within) / len(ranks), 4),
        "mrr@10": round(sum(1 / rank for rank in within) / len(ranks), 4),
    }


def _mean_terms(matrix: SparseMatrix) -> float:
    return round(len(matrix.indices) / max(1, len(matrix)), 1)
