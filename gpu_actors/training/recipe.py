"""The settings of a training, and its progress: plain records, no torch.

Input: a user's options. Output: a `Recipe` with every number of the training, each with its bounds; and
`Progress`, which the training passes to its observer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import Field

from orchestration.records import Record

__all__ = ["Progress", "Recipe", "Report", "Watch"]


class Recipe(Record):
    """Every number of a training. The same one over the same documents draws the same batches."""

    base: str = Field(
        default="all-MiniLM-L6-v2", description="Sentence encoder that is both teacher and starting point."
    )
    seed: int = Field(default=1, ge=0, description="Of whatever is drawn at random.")
    held_out: float = Field(
        default=0.1, ge=0, le=0.5, description="Share of the documents that no step sees; they measure."
    )
    head_steps: int = Field(
        default=300,
        ge=0,
        le=100_000,
        description="Batches that the masked-language-model head is trained on.",
    )
    splade_steps: int = Field(
        default=600, ge=1, le=1_000_000, description="Batches of pairs that the whole model is trained on."
    )
    batch: int = Field(default=32, ge=2, le=512, description="Pairs of one step; half as many for the head.")
    window_tokens: int = Field(
        default=140,
        ge=100,
        le=500,
        description="Most tokens of a window; no word of WordPiece's has over 100.",
    )
    query_tokens: int = Field(
        default=40, ge=8, le=200, description="Most tokens of a query; the rest is cut."
    )
    most_windows: int = Field(
        default=20_000, ge=100, description="Windows kept of all documents, drawn evenly: bounds memory."
    )
    document_terms: int = Field(default=130, ge=8, description="Active terms a window is steered to.")
    query_terms: int = Field(default=48, ge=2, description="Active terms a query is steered to.")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a part of the work is."""

    part: str
    """E.g. "reading", "head", "splade"."""
    done: int
    total: int | None
    """None while it is unknown."""
    detail: str = ""
    """Figures of the moment, for people."""
    loss: float | None = None
    """Of this step, without regularisation."""


Watch: TypeAlias = Callable[[Progress], None]


class Report(Record):
    """What a training came to."""

    base: str = Field(description="Base model and its revision.")
    head_made: bool = Field(description="Whether the base had no head, so that one was made.")
    documents: dict[str, int] = Field(description="Documents learnt from and held out.")
    sources: dict[str, int] = Field(description="Documents by source.")
    windows: dict[str, int] = Field(description="Windows learnt from and held out.")
    pairs: dict[str, int] = Field(description="Pairs of query and window by kind.")
    trial: dict[str, float] = Field(
        description="Questions asked of the held-out documents, documents searched, and mean active terms of "
        "their windows and of the questions; empty if nothing was held out."
    )
    measures: dict[str, dict[str, float]] = Field(
        description="nDCG@10, recall@10, MRR@10 of the model, its teacher, BM25 and chance; empty likewise."
    )
    seconds: float = Field(description="From first to last, reading included.")
