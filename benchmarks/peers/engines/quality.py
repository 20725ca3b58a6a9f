"""Retrieval quality of an engine's vectors: nDCG@10 of exact search over whole passages.

Comes in: a folder with passages.jsonl ({pmid, sections}) and questions.jsonl ({question, relevant_pmid}).
Leaves: one number for vectors of both. One passage is relevant to a question, so nDCG is 1/log2(rank + 1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gpu_actors.batches.tokens import TextTokenizer
from medkg.testing.document_checks import indexed_part

from ...data.texts import documents_of
from .contract import Rows, Vectors

__all__ = ["Judged", "read_judged"]

DEPTH: Final = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """Token rows of passages and questions, and which passage answers which question."""

    passages: Rows
    questions: Rows
    relevant: tuple[int, ...]
    """For each question the position of its passage."""

    def ndcg(self, passages: Vectors, questions: Vectors) -> float:
        """nDCG@10 by exact search with unit vectors in the rows' order."""
        scores = questions @ passages.T
        own = scores[np.arange(len(scores)), list(self.relevant)]
        ranks = 1 + (scores > own[:, None]).sum(axis=1)
        return float(np.where(ranks <= DEPTH, 1.0 / np.log2(ranks + 1.0), 0.0).mean())


def read_judged(folder: Path, tokenizer: TextTokenizer) -> Judged:
    """The folder's passages, cut to what the model takes, and questions."""
    texts = [indexed_part(each).text for each in documents_of(folder / "passages.jsonl")]
    position = {record["pmid"]: number for number, record in enumerate(_records(folder / "passages.jsonl"))}
    questions = _records(folder / "questions.jsonl")
    limit = tokenizer.room
    passages = [
        row if tokenizer.too_long(row) is None else np.append(row[: limit + 1], row[-1])
        for row in tokenizer.token_ids(texts)
    ]
    return Judged(
        passages,
        tokenizer.token_ids([question["question"] for question in questions]),
        tuple(position[question["relevant_pmid"]] for question in questions),
    )


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
