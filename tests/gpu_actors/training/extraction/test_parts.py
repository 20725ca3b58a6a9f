"""Parts of an extractor's training: labels' sequences, rows, pairs, gold held apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from gpu_actors.profiles import find_model
from gpu_actors.training.extraction.calibration import best_outside_bias, best_threshold
from gpu_actors.training.extraction.dropout import FastDropout
from gpu_actors.training.extraction.export import plain_tokenizer
from gpu_actors.training.extraction.gold import AnnotatedText, gold_of, held_apart
from gpu_actors.training.extraction.measures import mention_measures, relation_measures
from gpu_actors.training.extraction.pairs import FEATURES, pair_features
from gpu_actors.training.extraction.rows import LABELS, Concept, concepts_of, text_rows
from gpu_actors.training.extraction.sequence import LabelSequence
from orchestration.errors import UsageError
from orchestration.records import AnnotatedMention
from tests.gpu_actors.training.extraction.small_gold import BOTH, CASES, a_case, a_trial, mention, small_gold

TOKENIZER = plain_tokenizer(find_model("all-MiniLM-L6-v2").files)


def a_sequence() -> LabelSequence:
    """With moves that differ."""
    torch.manual_seed(3)
    sequence = LabelSequence(LABELS)
    torch.nn.init.normal_(sequence.transitions)
    torch.nn.init.normal_(sequence.start)
    return sequence


def labellings(sequence: LabelSequence, scores: Tensor) -> dict[tuple[int, ...], float]:
    """The score of each possible labelling, by enumeration."""
    transitions, start = sequence.moves()
    scored = {}
    for labels in itertools.product(range(len(LABELS)), repeat=len(scores)):
        score = start[labels[0]] + sum(scores[n, label] for n, label in enumerate(labels))
        score += sum(transitions[a, b] for a, b in itertools.pairwise(labels))
        if float(score) > -5_000:
            scored[labels] = float(score)
    return scored


def a_text(text: str, *mentions: AnnotatedMention, kinds: frozenset[str] = BOTH) -> AnnotatedText:
    return AnnotatedText("a", text, mentions, kinds)


def test_the_loss_is_the_share_of_the_allowed_labellings() -> None:
    sequence, scores = a_sequence(), torch.randn(2, 4, len(LABELS))
    allowed = torch.rand(2, 4, len(LABELS)) < 0.6
    allowed[..., 0] = True
    lengths = torch.tensor([4, 2])

    loss = float(sequence.loss(scores, allowed, lengths))

    expected = 0.0
    for row, length in enumerate(lengths.tolist()):
        every = labellings(sequence, scores[row, :length])
        right = [
            score
            for labels, score in every.items()
            if all(allowed[row, n, label] for n, label in enumerate(labels))
        ]
        expected += float(np.logaddexp.reduce(list(every.values())) - np.logaddexp.reduce(right))
    assert loss == pytest.approx(expected, abs=1e-3)


def test_the_best_labelling_is_the_highest_of_all_and_possible() -> None:
    sequence, scores = a_sequence(), 2 * torch.randn(5, len(LABELS))
    every = labellings(sequence, scores)

    best = sequence.best(scores)

    assert tuple(best) == max(every, key=lambda labels: every[labels])
    assert sequence.best(torch.empty(0, len(LABELS))) == []


def test_words_have_the_characters_and_labels_of_their_mentions() -> None:
    text = "Given veltamine-2, she had liver failure."
    gold = a_text(
        text, mention(text, "veltamine-2", "Chemical", "c"), mention(text, "liver failure", "Disease", "d")
    )

    (row,) = text_rows([gold], TOKENIZER)

    words = [text[start:end] for start, end in row.spans]
    labels = [LABELS[int(each.argmax())] for each in row.allowed]
    assert words == ["Given", "veltamine", "-", "2", ",", "she", "had", "liver", "failure", "."]
    assert labels == ["O", *["B-Chemical", "I-Chemical", "I-Chemical"], *"OOO", "B-Disease", "I-Disease", "O"]
    assert row.allowed.sum(1).tolist() == [1] * 10


def test_a_kind_that_was_not_annotated_is_possible_outside_mentions() -> None:
    text = "Given aspirin for gout"
    gold = a_text(text, mention(text, "gout", "Disease", "d"), kinds=frozenset({"Disease"}))

    (row,) = text_rows([gold], TOKENIZER)

    assert [LABELS[n] for n in np.flatnonzero(row.allowed[1])] == ["O", "B-Chemical", "I-Chemical"]
    assert [LABELS[n] for n in np.flatnonzero(row.allowed[3])] == ["B-Disease"]


def test_long_texts_are_cut_at_sentence_ends_and_every_word_is_in_one_row() -> None:
    text = "The patients were given the drug. " * 150 + "word " * 700

    rows = text_rows([a_text(text)], TOKENIZER)

    assert len(rows) > 3 and all(len(row.ids) <= 512 for row in rows)
    assert "".join(text[a:b] for row in rows for a, b in row.spans) == text.replace(" ", "")
    assert text[rows[0].spans[-1][0]] == "."


def test_a_text_without_a_word_has_no_row() -> None:
    assert text_rows([a_text(" \n")], TOKENIZER) == []


def test_concepts_of_a_row_have_their_mentions_pieces() -> None:
    case = a_case(0, *CASES[0])
    (row,) = text_rows([a_text(case.text, *case.mentions)], TOKENIZER)

    concepts = concepts_of(row, case.mentions)

    assert [(concept.key, len(concept.mentions)) for concept in concepts] == [
        ("X:D0", 2),
        ("X:C0", 3),
        ("X:I0", 1),
    ]
    first, last = concepts[1].mentions[0]
    assert TOKENIZER.decode(list(row.ids[first:last])) == "veltamine"


def test_features_of_a_pair_are_counts_places_and_distances() -> None:
    subject = Concept("c", "Chemical", ((10, 12), (64, 66)))
    near, far = Concept("d", "Disease", ((20, 21),)), Concept("e", "Disease", ((128, 129), (5, 6), (6, 7)))

    features = pair_features([subject], [near, far])[0]

    values = dict(zip(FEATURES, features[0].tolist(), strict=True))
    assert values["log_mentions_subject"] == pytest.approx(np.log1p(2))
    assert values["share_of_most_mentions_object"] == pytest.approx(1 / 3)
    assert values["first_piece_subject_128"] == pytest.approx(10 / 128)
    assert values["log_objects"] == pytest.approx(np.log1p(2))
    assert values["log_least_distance"] == pytest.approx(np.log1p(10))
    assert values["subject_before_object_when_closest"] == 1
    assert values["log_pairs_within_16"] == pytest.approx(np.log1p(1))
    assert values["log_pairs_within_48"] == pytest.approx(np.log1p(2))


def test_dropout_zeroes_its_share_and_keeps_the_mean_while_training_only() -> None:
    torch.manual_seed(1)
    dropout, ones = FastDropout(0.25), torch.ones(3, 100_000)

    dropped = dropout(ones)

    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)


def test_gold_becomes_texts_with_relations_and_questions() -> None:
    gold = gold_of(small_gold())

    assert len(gold.texts) == 8 and len(gold.questions) == 24
    assert gold.texts[0].relations == frozenset({("X:C0", "X:D0")})
    assert gold.questions[0].evidence == "veltamine significantly increased migraine compared with placebo."


def test_gold_of_one_kind_has_no_relations_and_overlapping_mentions_are_left_out() -> None:
    case = a_case(0, *CASES[0])
    wider = AnnotatedMention(8, 24, "Disease", case.text[8:24])
    diseases = replace(case, kinds=frozenset({"Disease"}), mentions=(*case.mentions, wider))

    gold = gold_of([diseases, *small_gold()])

    assert gold.texts[0].relations is None
    assert wider in gold.texts[0].mentions
    spans = [(each.start_char, each.end_char) for each in gold.texts[0].mentions]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_held_out_documents_share_none_with_the_others() -> None:
    gold = gold_of(small_gold())

    training, held = held_apart(gold, 0.25, seed=1)

    assert len(held.texts) == 2 and len(held.questions) == 6
    assert not {text.name for text in held.texts} & {text.name for text in training.texts}
    assert held_apart(gold, 0.25, seed=1)[1] == held


def test_too_little_gold_is_refused() -> None:
    with pytest.raises(UsageError, match="has 0 documents with mentions of Chemical or Disease"):
        gold_of([a_trial(1, "aspirin", "pain")])
    without = [
        replace(each, mentions=tuple(m for m in each.mentions if m.kind == "Disease"))
        for each in small_gold()
    ]
    with pytest.raises(UsageError, match="0 mentions of Chemical; a training needs 8"):
        gold_of(without)


def test_mentions_count_if_characters_and_kind_are_exact() -> None:
    text = "aspirin for gout"
    gold = a_text(text, mention(text, "aspirin", "Chemical", "c"), mention(text, "gout", "Disease", "d"))

    scores = mention_measures([gold], {0: [(0, 7, "Chemical"), (8, 16, "Disease")]})

    assert scores["Chemical"]["f1"] == 1 and scores["Disease"]["f1"] == 0
    assert scores["all"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5}


def test_the_threshold_is_the_one_with_the_best_f1() -> None:
    texts = [
        replace(a_text("a"), relations=frozenset({("c", "d")})),
        replace(a_text("b"), relations=frozenset()),
    ]
    logits = {0: {("c", "d"): 1.4}, 1: {("c", "d"): 0.2}}

    threshold = best_threshold(texts, logits)

    assert 0.2 < threshold <= 1.4
    assert relation_measures(texts, logits, threshold)["f1"] == 1


def test_the_outside_bias_is_the_one_with_the_best_f1() -> None:
    text = "aspirin for gout"
    gold = a_text(text, mention(text, "aspirin", "Chemical", "c"))
    rows = text_rows([gold], TOKENIZER)
    scores = torch.tensor([[0.0, 2.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, 0.0]])
    network = SimpleNamespace(sequence=LabelSequence(LABELS))

    bias = best_outside_bias(network, [gold], rows, [scores])  # type: ignore[arg-type]

    assert 0.5 < bias < 2
