"""Corpus, held-out part and pairs: bounded, apart, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_actors.training.batches import Pairing
from gpu_actors.training.corpus import held_apart, require_enough
from gpu_actors.training.pairs import queries_of, with_neighbours
from gpu_actors.training.recipe import Recipe
from orchestration.errors import UsageError
from orchestration.records import Float32Matrix
from tests.gpu_actors.training.small_corpus import gathered, small_corpus


def unit_vectors(rows: int) -> Float32Matrix:
    """Vectors that lie near one another."""
    vectors = np.random.default_rng(1).normal(size=(rows, 16)).astype(np.float32) * 0.1 + 1
    unit: Float32Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_the_same_seed_gives_the_same_pairs_and_another_one_others() -> None:
    corpus = gathered()

    assert queries_of(corpus, 1) == queries_of(gathered(), 1)
    assert queries_of(corpus, 1) != queries_of(corpus, 2)
    assert {query.kind for query in queries_of(corpus, 1)} == {"sentence", "title", "keywords"}


def test_a_sentence_is_a_query_of_its_window_and_of_the_nearest_other_one() -> None:
    corpus = gathered()
    queries = queries_of(corpus, 1)
    vectors, windows = unit_vectors(len(queries)), unit_vectors(len(corpus.windows))

    with_nearest = with_neighbours(queries, corpus, vectors, windows)

    for query in with_nearest:
        if query.sentence is not None:
            assert query.text in corpus.windows[query.window].sentences[query.sentence]
    for query in with_nearest[len(queries) :]:
        own = queries[query.vector]
        assert query.window != own.window and query.text == own.text
        assert corpus.windows[query.window].document == corpus.windows[own.window].document


def test_batches_are_the_same_for_the_same_seed_and_mark_what_else_answers() -> None:
    corpus = gathered()
    queries = queries_of(corpus, 1)
    vectors, windows = unit_vectors(len(queries)), unit_vectors(len(corpus.windows))

    first, second = (Pairing(corpus, queries, vectors, windows, Recipe(batch=8)) for _ in range(2))

    for _ in range(3):
        drawn, again = first.batch(), second.batch()
        assert (drawn.queries, drawn.windows) == (again.queries, again.windows)
        assert len(drawn.queries) == 8 and drawn.teacher.shape == (8, 8)
        assert not drawn.answers_too.diagonal().any()


def test_what_is_held_out_shares_no_document_with_what_is_learnt_from() -> None:
    corpus = gathered()
    training, held = held_apart(corpus, 0.2, seed=1)

    assert len(held.subjects) == 2 and not training.subjects.keys() & held.subjects.keys()
    assert len(training.windows) + len(held.windows) == len(corpus.windows)
    assert not held_apart(corpus, 0.0, seed=1)[1].windows


def test_only_so_many_windows_are_kept_in_order_whatever_the_number_of_documents() -> None:
    many = [document for document in small_corpus() for _ in range(12)]

    corpus = gathered(many, most_windows=100)

    numbers = [window.document for window in corpus.windows]
    assert len(numbers) == 100 and numbers == sorted(numbers) and max(numbers) > 130
    assert corpus.subjects.keys() == set(numbers)


def test_keywords_that_most_documents_share_name_none() -> None:
    assert all("Humans" not in subject.keywords for subject in gathered().subjects.values())
    assert gathered().subjects[1].keywords == ("type 2 diabetes", "metformin")


def test_too_little_text_says_what_is_needed() -> None:
    with pytest.raises(UsageError, match=r"3 documents .* at least 8 are needed.*--path"):
        require_enough(gathered(small_corpus()[:3]))
