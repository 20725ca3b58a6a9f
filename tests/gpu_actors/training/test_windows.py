"""Windows: all of the text, in order, never too long."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_actors.training.windows import windows_of
from medkg.testing.builders import a_document
from orchestration.records import Document
from tests.gpu_actors.training.small_corpus import TOKENIZER, small_corpus

WORDS = st.sampled_from(
    ["Walking", "sleep", "e.g.", "p<0.001", "adults.", "Why?", "(n=12)", "IL-6", "μg/ml", "x" * 130, "naïve"]
)
PARAGRAPHS = st.lists(WORDS, min_size=1, max_size=120).map(" ".join)
SECTIONS = st.lists(st.lists(PARAGRAPHS, min_size=1, max_size=3), min_size=1, max_size=4)


def a_document_of(sections: list[list[str]]) -> Document:
    return a_document(sections={f"Part {number}": paragraphs for number, paragraphs in enumerate(sections)})


def without_blanks(text: str) -> str:
    return "".join(text.split())


@given(SECTIONS, st.integers(100, 160))
@settings(max_examples=40, deadline=None)
def test_windows_hold_all_paragraphs_in_order_and_never_too_many_tokens(
    sections: list[list[str]], most: int
) -> None:
    windows = windows_of(a_document_of(sections), 0, TOKENIZER, most)

    written = " ".join(paragraph for section in sections for paragraph in section)
    assert without_blanks("".join(window.text for window in windows)) == without_blanks(written)
    counted = [len(encoding) for encoding in TOKENIZER.encodings([window.text for window in windows])]
    assert counted == [window.tokens for window in windows]
    assert max(counted) <= most


def test_a_run_of_signs_without_a_blank_is_cut() -> None:
    windows = windows_of(a_document_of([["." * 500]]), 0, TOKENIZER, 100)

    assert [window.tokens for window in windows] == [100] * 5


def test_titles_and_headings_are_left_out_and_a_heading_is_kept_with_its_window() -> None:
    document = small_corpus()[0]
    windows = windows_of(document, 7, TOKENIZER, 100)

    assert all(document.title not in window.text for window in windows)
    assert windows[0].heading == "BACKGROUND" and {window.document for window in windows} == {7}


def test_a_sentence_is_taken_out_unless_it_is_the_only_one() -> None:
    (window,) = windows_of(a_document_of([["Adults walked. They slept."]]), 0, TOKENIZER, 100)

    assert window.without(0) == "They slept."
    (alone,) = windows_of(a_document_of([["Adults walked."]]), 0, TOKENIZER, 100)
    assert alone.without(0) == "Adults walked."
