"""How well legs and fusion answer questions whose relevant documents are known.

Comes in: a search and questions. Leaves: measures by leg and of the hybrid. Documents are ranked by their
best chunk. nDCG@10 with binary relevance (Jaervelin, Kekaelaeinen, TOIS 2002,
https://doi.org/10.1145/582415.582418), recall@10 and MRR@10; latency as p50 and p95 in milliseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import Field, ValidationError

from orchestration.errors import DagsterResourceUnavailableError, UsageError
from orchestration.records import Record
from orchestration.retrieval.search import HybridSearch

__all__ = ["Question", "evaluate", "read_questions"]

DEPTH: Final = 10
CHUNKS_SEARCHED: Final = 100
"""Deep enough that ten documents come together whatever number of chunks each has among the best."""


class Question(Record):
    """One line of a questions file."""

    question_id: str = Field(description="Names the question.")
    question: str = Field(min_length=1, pattern=r"\S", description="The question in plain words.")
    relevant: tuple[str, ...] = Field(min_length=1, description="Ids of the documents that answer it.")


def read_questions(path: Path) -> list[Question]:
    """The questions of a JSONL file; raises UsageError naming file and line."""
    return list(_questions(path))


def _questions(path: Path) -> Iterator[Question]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"questions {path} cannot be read: {error}.") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise UsageError(f"questions {path} is empty; write lines {{question_id, question, relevant: [..]}}.")
    for number, line in numbered:
        try:
            yield Question.model_validate(json.loads(line))
        except ValueError as error:
            raise UsageError(
                f"questions {path}, line {number}: {_reason(error)}. A line is "
                '{"question_id": "1", "question": "...", "relevant": ["NCT01234567"]}.'
            ) from error


def _reason(error: ValueError) -> str:
    """What is wrong with a line, in one sentence."""
    if not isinstance(error, ValidationError):
        return f"it is no JSON, {error}"
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def evaluate(
    search: HybridSearch, tenant_id: str, questions: Sequence[Question]
) -> dict[str, dict[str, float]]:
    """Measures by leg, and of their fusion as `hybrid`; raises when a leg does not answer every question."""
    rankers: dict[str, Sequence[str] | None] = {name: [name] for name in search.legs}
    rankers["hybrid"] = None
    return {name: _measured(search, tenant_id, questions, legs) for name, legs in rankers.items()}


def _measured(
    search: HybridSearch, tenant_id: str, questions: Sequence[Question], legs: Sequence[str] | None
) -> dict[str, float]:
    measures: list[tuple[float, float, float]] = []
    milliseconds: list[float] = []
    search.search(tenant_id, questions[0].question, CHUNKS_SEARCHED, legs=legs)  # indexes load once
    for question in questions:
        found = search.search(tenant_id, question.question, CHUNKS_SEARCHED, legs=legs)
        if found.degraded:
            raise DagsterResourceUnavailableError(
                f"question {question.question_id}: {', '.join(found.degraded)} did not answer, so the hybrid "
                "cannot be judged. See the log, mend the leg, and evaluate again."
            )
        ranking = list(dict.fromkeys(hit.chunk.doc_id for hit in found.hits))[:DEPTH]
        measures.append(_judged(ranking, set(question.relevant)))
        milliseconds.append(found.milliseconds)
    ndcg, recall, mrr = np.mean(np.array(measures), axis=0)
    return {
        "ndcg@10": round(float(ndcg), 4),
        "recall@10": round(float(recall), 4),
        "mrr@10": round(float(mrr), 4),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
    }


def _judged(ranking: Sequence[str], relevant: set[str]) -> tuple[float, float, float]:
    """(nDCG@10, recall@10, MRR@10) of one ranking of documents."""
    ranks = [rank for rank, doc_id in enumerate(ranking, start=1) if doc_id in relevant]
    gained = sum(1.0 / math.log2(rank + 1) for rank in ranks)
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(len(relevant), DEPTH) + 1))
    return gained / ideal, len(ranks) / len(relevant), 1.0 / ranks[0] if ranks else 0.0
