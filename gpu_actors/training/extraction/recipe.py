"""The settings of an extractor's training, and what it came to: plain records, no torch.

Input: a user's options. Output: an `ExtractorRecipe` with every number of the training, each with its bounds;
and the `ExtractorReport` of a training.
"""

from __future__ import annotations

from pydantic import Field

from orchestration.records import Record

__all__ = ["ExtractorRecipe", "ExtractorReport"]


class ExtractorRecipe(Record):
    """Every number of a training. The same one over the same gold draws the same batches."""

    base: str = Field(default="all-MiniLM-L6-v2", description="BERT that is the starting point.")
    seed: int = Field(default=1, ge=0, description="Of whatever is drawn at random.")
    held_out: float = Field(
        default=0.1, ge=0, le=0.5, description="Share of the documents that no step sees; they measure."
    )
    text_epochs: int = Field(default=10, ge=1, le=1_000, description="Passes over the texts.")
    direction_epochs: int = Field(default=2, ge=0, le=1_000, description="Passes over the questions.")
    batch_tokens: int = Field(
        default=3_000, ge=512, le=65_536, description="Most tokens of a batch, padding included."
    )
    body_rate: float = Field(default=2.5e-4, gt=0, lt=1, description="Learning rate of the uppermost layer.")
    head_rate: float = Field(default=1e-3, gt=0, lt=1, description="Learning rate of the heads.")
    layer_decay: float = Field(
        default=0.9, gt=0, le=1, description="Rate of a layer as a multiple of that of the one above."
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share of values zeroed in training.")
    masked: float = Field(default=0.05, ge=0, lt=1, description="Share of words hidden behind [MASK].")
    relation_weight: float = Field(default=0.3, ge=0, description="Weight of the relations' loss.")
    direction_weight: float = Field(default=0.3, ge=0, description="Weight of the directions' loss.")
    outside_bias: float = Field(
        default=0.6, ge=0, description="Added to the score of O, where no texts are held out to choose it."
    )
    threshold: float = Field(
        default=-0.8, description="Least logit of a relation, where no relations are held out to measure it."
    )


class ExtractorReport(Record):
    """What a training came to."""

    base: str = Field(description="Base model and its revision.")
    texts: dict[str, int] = Field(description="Texts learnt from and held out.")
    mentions: dict[str, int] = Field(description="Mentions learnt from, by kind.")
    relations: int = Field(description="Relations learnt from.")
    questions: dict[str, int] = Field(description="Questions learnt from and held out.")
    threshold: float = Field(description="Least logit of a relation.")
    measures: dict[str, dict[str, float]] = Field(
        description="Precision, recall and F1 of held-out mentions by kind and of relations on gold "
        "mentions, accuracy and macro F1 of directions; empty if nothing was held out."
    )
    seconds: float = Field(description="From first to last.")
