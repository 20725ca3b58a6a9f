"""The claim model: how probable it is that a document states that a drug caused a condition.

Input: a pair of concepts in its sentences, and what the relation model says of it. Output: a probability, and
whether it is enough for a claim. A logistic regression; weights in claim_model.json, made by ops/claims.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from orchestration.extraction.encoder.pair_features import Pair

__all__ = ["ClaimModel", "Known", "shipped_claim_model", "shipped_claim_model_hash"]

FILE: Final = Path(__file__).with_name("claim_model.json")
SURE_MENTION: Final = 0.9
"""Confidence of a mention that counts as one of a drug or a condition without a concept."""


@dataclass(frozen=True, slots=True)
class Known:
    """How sure it is that both ends are what their kinds say."""

    drug: bool
    """It has a concept of a vocabulary."""
    condition: bool
    drug_confidence: float = 1.0
    """Of its best mention."""
    condition_confidence: float = 1.0

    @property
    def both(self) -> bool:
        return self.drug and self.condition

    @property
    def is_surely_tagged(self) -> bool:
        """The tagger is sure of both."""
        return min(self.drug_confidence, self.condition_confidence) >= SURE_MENTION

    @property
    def is_plausible(self) -> bool:
        """A vocabulary has one of both, and the tagger is sure of the other."""
        return self.both or (
            (self.drug and self.condition_confidence >= SURE_MENTION)
            or (self.condition and self.drug_confidence >= SURE_MENTION)
        )


@dataclass(frozen=True, slots=True)
class ClaimModel:
    """Weights and thresholds."""

    intercept: float
    margin: float
    """Weight of the relation model's logit above its own threshold."""
    weights: Mapping[str, float]
    """By feature."""
    least_worded: float
    """Least probability for a pair with a sentence that words the relation."""
    least_same_sentence: float
    """For one with sentences that have both, and none that words it."""
    least_apart: float
    """For one that no sentence has together."""

    def probability(self, features: Mapping[str, float], margin: float) -> float:
        """From 0 to 1."""
        total = self.intercept + self.margin * margin
        total += sum(weight * features[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))

    def accepts(self, pair: Pair, probability: float, known: Known) -> bool:
        """Whether a pair becomes a claim: the less a sentence says of it, the more else must speak for it."""
        if pair.is_direct:
            return (
                known.is_plausible or min(known.drug_confidence, known.condition_confidence) >= SURE_MENTION
            )
        if pair.worded:
            return known.is_plausible and probability >= self.least_worded
        least = self.least_same_sentence if pair.shared else self.least_apart
        return known.both and probability >= least


@cache
def shipped_claim_model() -> ClaimModel:
    """The model beside this file."""
    return ClaimModel(**json.loads(FILE.read_text(encoding="utf-8")))


@cache
def shipped_claim_model_hash() -> str:
    """Of the file: a change of weights or thresholds makes documents due again."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]
