"""Numbers about a pair of concepts that need no network: counts, places, distances.

Input: the concepts of a row. Output: FEATURES of each pair. A sparse training set teaches these faster than
a network learns to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gpu_actors.training.extraction.rows import Concept

__all__ = ["FEATURES", "pair_features"]

FEATURES: Final = (
    "log_mentions_subject",
    "log_mentions_object",
    "share_of_most_mentions_subject",
    "share_of_most_mentions_object",
    "first_piece_subject_128",
    "first_piece_object_128",
    "log_subjects",
    "log_objects",
    "log_least_distance",
    "subject_before_object_when_closest",
    "log_pairs_within_16",
    "log_pairs_within_48",
)


def pair_features(subjects: Sequence[Concept], objects: Sequence[Concept]) -> Tensor:
    """float32 [subjects, objects, features]; positions are those of mentions' first pieces in the row."""
    most_subject = max(len(concept.mentions) for concept in subjects)
    most_object = max(len(concept.mentions) for concept in objects)
    values = [
        [_features(a, b, most_subject, most_object, len(subjects), len(objects)) for b in objects]
        for a in subjects
    ]
    return torch.tensor(values, dtype=torch.float32)


def _features(
    subject: Concept, other: Concept, most_subject: int, most_object: int, subjects: int, objects: int
) -> list[float]:
    at = np.array([first for first, _ in subject.mentions])
    to = np.array([first for first, _ in other.mentions])
    distances = np.abs(at[:, None] - to[None])
    closest = np.unravel_index(int(distances.argmin()), distances.shape)
    return [
        float(np.log1p(len(at))),
        float(np.log1p(len(to))),
        len(at) / most_subject,
        len(to) / most_object,
        at[0] / 128,
        to[0] / 128,
        float(np.log1p(subjects)),
        float(np.log1p(objects)),
        float(np.log1p(distances.min())),
        float(at[closest[0]] < to[closest[1]]),
        float(np.log1p((distances <= 16).sum())),
        float(np.log1p((distances <= 48).sum())),
    ]
