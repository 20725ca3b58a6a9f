"""Mutated inputs end in a document or a named error; `python -m tests.fuzzing.fuzz` runs many more."""

from __future__ import annotations

import pytest

from tests.exhaustive import fewer
from tests.fuzzing.fuzz import TARGETS, fuzz

QUICK = {"pdf": 60, "jats": 150, "pdf-ir": 100}


@pytest.mark.parametrize("name", TARGETS)
def test_any_mutation_ends_in_a_sound_document_or_a_named_error(name: str) -> None:
    ended = fuzz(name, fewer(QUICK.get(name, 250), exhaustive=10_000))
    assert sum(ended.values()) >= 50 and len(ended) >= 2, f"mutations that change nothing: {ended}"
