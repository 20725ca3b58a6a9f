"""Evaluation of legs and fusions on questions whose relevant documents are known.

Comes in: a search and questions. Leaves: measures of each leg, of the hybrid with and without reranking, and
of named fusions, and comparisons of them. Documents are ranked by their best chunk. nDCG@10 with binary
relevance (Jaervelin, Kekaelaeinen, TOIS 2002, https://doi.org/10.1145/582415.582418), recall@10 and MRR@10;
latency as p50 and p95 in milliseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field, ValidationError

from orchestration.errors import SearchDegradedError, UsageError
from orchestration.records import Record
from orchestration.retrieval.comparison import Comparison, compared
from orchestration.retrieval.fusion import Fusion
from orchestration.retrieval.search import HybridSearch

__all__ = ["HYBRID", "RERANKED", "Evaluation", "Measured", "Question", "evaluate", "read_questions"]

DEPTH: Final = 10
HYBRID: Final = "hybrid"
RERANKED: Final = "reranked"
MEASURES: Final = ("ndcg@10", "recall@10", "mrr@10")
COMPARED: Final = "ndcg@10"


class Question(Record):
    """One line of a questions file."""

    question_id: str = Field(description="Id of the question.")
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
    """The error of a line, in one sentence."""
    if not isinstance(error, ValidationError):
        return f"it is not JSON, {error}"
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures and times of one way to search, in the order of the questions."""

    measures: Mapping[str, tuple[float, ...]]
    milliseconds: tuple[float, ...]

    def as_json(self) -> dict[str, float]:
        """Means of the measures, and quantiles of the time."""
        return {name: round(float(np.mean(figures)), 4) for name, figures in self.measures.items()} | {
            f"p{quantile}_ms": round(float(np.percentile(self.milliseconds, quantile)), 1)
            for quantile in (50, 95)
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of every way to search, and their comparisons."""

    legs: Mapping[str, Measured]
    """By leg, then `hybrid`, then `reranked` if it was measured, then the named fusions."""
    comparisons: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg eval`."""
        return {
            "legs": {name: measured.as_json() for name, measured in self.legs.items()},
            "comparisons": [comparison.as_json() for comparison in self.comparisons],
        }


def evaluate(
    search: HybridSearch,
    tenant_id: str,
    questions: Sequence[Question],
    fusions: Mapping[str, Fusion] | None = None,
    *,
    rerank: bool = False,
    on_request: Sequence[str] = (),
) -> Evaluation:
    """Measure each leg, the search's own fusion and the named ones.

    With `rerank` the search's own fusion is also measured with reranking; each leg `on_request` is measured
    alone, and the hybrid with it (`hybrid+LEG`). nDCG@10 is compared between the
    hybrid and each leg, between the hybrid with and without reranking, and between each pair of named
    fusions, or the hybrid and the only named one. Raises SearchDegradedError if a leg fails on a question.
    """
    named = dict(fusions or {})
    widened = {f"{HYBRID}+{name}": [*search.legs, name] for name in on_request}
    legs = {
        name: _measured(search, tenant_id, questions, [name], [None])[0]
        for name in (*search.legs, *on_request)
    }
    hybrids = _measured(search, tenant_id, questions, None, [None, *named.values()])
    measured = legs | {HYBRID: hybrids[0]}
    if rerank:
        measured[RERANKED] = _measured(search, tenant_id, questions, None, [None], rerank=True)[0]
    for name, with_leg in widened.items():
        measured[name] = _measured(search, tenant_id, questions, with_leg, [None])[0]
    measured |= dict(zip(named, hybrids[1:], strict=True))
    rivals = [*named] if len(named) > 1 else [HYBRID, *named]
    pairs = [(HYBRID, leg) for leg in legs] + [(RERANKED, HYBRID)] * rerank
    pairs += [(name, HYBRID) for name in widened] + list(combinations(rivals, 2))
    figures = {name: each.measures[COMPARED] for name, each in measured.items()}
    comparisons = (compared(a, b, COMPARED, figures[a], figures[b]) for a, b in pairs)
    return Evaluation(measured, tuple(comparison for comparison in comparisons if comparison is not None))


def _measured(
    search: HybridSearch,
    tenant_id: str,
    questions: Sequence[Question],
    legs: Sequence[str] | None,
    fusions: Sequence[Fusion | None],
    *,
    rerank: bool = False,
) -> list[Measured]:
    """Measures of each fusion, in order, over the same answers of the legs."""
    judged: list[list[tuple[float, float, float]]] = [[] for _ in fusions]
    milliseconds: list[list[float]] = [[] for _ in fusions]
    search.search(tenant_id, questions[0].question, DEPTH, legs=legs, group=True, rerank=rerank)  # warm-up
    for question in questions:
        results = search.search_by_each(
            fusions, tenant_id, question.question, DEPTH, legs=legs, group=True, rerank=rerank
        )
        for number, result in enumerate(results):
            if result.degraded:
                raise SearchDegradedError(
                    f"question {question.question_id}: {', '.join(result.degraded)} did not answer, so the "
                    "hybrid cannot be measured. See the log, fix the leg, and evaluate again."
                )
            ranking = list(dict.fromkeys(hit.chunk.doc_id for hit in result.hits))
            judged[number].append(_judged(ranking, set(question.relevant)))
            milliseconds[number].append(result.milliseconds)
    return [
        Measured(dict(zip(MEASURES, zip(*measures, strict=True), strict=True)), tuple(times))
        for measures, times in zip(judged, milliseconds, strict=True)
    ]


def _judged(ranking: Sequence[str], relevant: set[str]) -> tuple[float, float, float]:
    """(nDCG@10, recall@10, MRR@10) of one ranking of documents."""
    ranks = [rank for rank, doc_id in enumerate(ranking, start=1) if doc_id in relevant]
    gain = sum(1.0 / math.log2(rank + 1) for rank in ranks)
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(len(relevant), DEPTH) + 1))
    return gain / ideal, len(ranks) / len(relevant), 1.0 / ranks[0] if ranks else 0.0
