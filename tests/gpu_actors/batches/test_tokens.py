"""Token ids: texts are folded as searches compare them, unless they fit the model only as they stand."""

from __future__ import annotations

import pytest

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.profiles import SPLADE_MINI, find_model


def tokenizer(max_tokens: int = 512) -> TextTokenizer:
    return TextTokenizer(find_model(SPLADE_MINI).files, max_tokens)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("TNF\u03b1 in\u00adhibitors", "TNF-alpha inhibitors"),
        ("PaO\u2082", "PaO2"),
        ("\uff28\uff29\uff36", "HIV"),
        ("a\ud800b\x00", "a b "),
    ],
)
def test_texts_that_are_one_thing_have_the_same_ids(text: str, same: str) -> None:
    first, second = tokenizer().token_ids([text, same])
    assert first.tolist() == second.tolist()


def test_a_text_that_fits_only_as_it_stands_is_taken_as_it_stands() -> None:
    text = "\ufdfa " * 10
    (ids,) = tokenizer(24).token_ids([text])
    assert tokenizer(24).too_long(ids) is None
    (long,) = tokenizer(24).token_ids(["\ufb01brosis " * 60])
    assert tokenizer(24).too_long(long) is not None
