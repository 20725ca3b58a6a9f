"""The tagger and the relation model against plain torch, and texts as windows with exact characters."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertModel

from gpu_actors.batches.reading_windows import WindowTokenizer
from gpu_actors.encoders.direction_scoring import DirectionReader
from gpu_actors.encoders.extractor_files import ExtractorFiles
from gpu_actors.encoders.relation_scoring import RelationScorer
from gpu_actors.encoders.tagger import Tagger
from gpu_actors.profiles import chosen_profile
from gpu_actors.training.extraction.gold import DirectionQuestion
from gpu_actors.training.extraction.rows import direction_row
from orchestration.contracts import ConceptSpans, EffectStatement, TextToTag
from orchestration.errors import ConfigurationError
from tests.gpu_actors.encoders.tiny_extractor import DIRECTIONS, HEADS, an_extractor

TEXT = "Naloxone reverses clonidine.\nIn rats, blood pressure fell; \U0001d4d0 none died (p<0.05). "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return an_extractor(tmp_path_factory.mktemp("extractor"))


@pytest.fixture(scope="module")
def tagger(folder: Path) -> Iterator[Tagger]:
    """In fp32: random weights leave labels so close that int8 turns them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gpu_actors.encoders.precision.has_fast_bf16", lambda: False)
        patch.setattr("gpu_actors.encoders.precision.has_int8", lambda: False)
        yield Tagger(chosen_profile("cpu", extraction_model=str(folder)))


def whole(text: str) -> TextToTag:
    return TextToTag(text, [(0, len(text))])


def test_states_are_those_of_transformers(folder: Path, tagger: Tagger) -> None:
    window = WindowTokenizer(folder, 512).windows(whole(TEXT))[0]
    model = BertModel.from_pretrained(str(folder), add_pooling_layer=False, dtype=torch.float32).eval()
    with torch.inference_mode():
        expected = model(torch.from_numpy(window.token_ids)[None].long()).last_hidden_state[0]
    states = tagger.encode(window.token_ids, [len(window.token_ids)]).states.astype(np.float32)
    assert torch.cosine_similarity(expected, torch.from_numpy(states)).min() > 0.99


def test_directions_are_those_of_the_training_s_network(folder: Path, tagger: Tagger) -> None:
    statements = [
        EffectStatement("naloxone", "saline", "blood pressure", TEXT),
        EffectStatement("a", "b", "c " * 40, "It fell. " * 200),
    ]
    weights = load_file(folder / "model.safetensors")
    model = BertModel.from_pretrained(str(folder), add_pooling_layer=False, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for statement, read in zip(statements, tagger.directions(statements), strict=True):
        question = DirectionQuestion("1", *statement, direction="increased")
        ids = torch.tensor([direction_row(question, tokenizer).ids])
        with torch.inference_mode():
            states = model(ids).last_hidden_state[0]
        inputs = torch.cat([states[0], states.mean(0)])
        scores = torch.softmax(
            weights["direction.weight"].float() @ inputs + weights["direction.bias"].float(), 0
        )
        assert read.direction == DIRECTIONS[int(scores.argmax())]
        assert read.confidence == pytest.approx(float(scores.max()), abs=0.05)


def test_a_model_without_directions_is_named(tmp_path: Path) -> None:
    folder = an_extractor(tmp_path / "plain")
    configuration = json.loads((folder / "extractor.json").read_text())
    del configuration["direction"]
    (folder / "extractor.json").write_text(json.dumps(configuration))
    with pytest.raises(ConfigurationError, match="reads no directions of effects"):
        DirectionReader(ExtractorFiles(folder))


def test_spans_are_whole_words_of_the_text_and_do_not_overlap(tagger: Tagger) -> None:
    (tagged,) = tagger.tag([whole(TEXT)])
    assert len(tagged.spans) > 3
    end = 0
    for span in tagged.spans:
        assert span.start_char >= end and 0 < span.confidence <= 1
        end = span.end_char
        mention = TEXT[span.start_char : end]
        assert mention == mention.strip()
        for outer in (TEXT[span.start_char - 1 : span.start_char + 1], TEXT[end - 1 : end + 1]):
            assert len(outer) < 2 or not outer.isalnum()


def test_texts_keep_their_order_and_do_not_change_each_other(tagger: Tagger) -> None:
    texts = [f"{'Walking is cheap. ' * (number % 13)}Case {number} took aspirin." for number in range(40)]
    together = tagger.tag([whole(text) for text in texts])
    for number in (0, 12, 25, 39):
        (alone,) = tagger.tag([whole(texts[number])])
        spans = [each[:3] for each in together[number].spans]
        assert spans == [each[:3] for each in alone.spans]


def test_nothing_to_read_has_no_spans(tagger: Tagger) -> None:
    nothing, blank, none = tagger.tag([TextToTag("", []), whole("  \n"), TextToTag(TEXT, [])])
    assert not nothing.spans and not blank.spans and not none.spans
    assert nothing.relations([ConceptSpans("Chemical", [(0, 1)])]) == []


class TestWindows:
    def test_a_long_text_is_cut_at_sentences_and_every_word_is_read_once(self, folder: Path) -> None:
        text = " ".join(f"Sentence {number} says that walking helps." for number in range(300))
        windows = WindowTokenizer(folder, 128).windows(whole(text))
        assert max(len(window.token_ids) for window in windows) <= 128
        places = [place for window in windows for place in window.starts[1:-1].tolist()]
        assert places == sorted(set(places)) and len(windows) < 40
        assert all(text[slice(*window.chars)].startswith("Sentence") for window in windows)
        assert all(text[slice(*window.chars)].endswith(".") for window in windows)

    def test_a_sentence_that_does_not_fit_is_cut_between_words_with_an_overlap(self, folder: Path) -> None:
        text = "aminophenazone " * 400
        windows = WindowTokenizer(folder, 128).windows(whole(text))
        assert max(len(window.token_ids) for window in windows) <= 128
        assert all(text[window.chars[0] :].startswith("aminophenazone") for window in windows)
        for before, after in pairwise(windows):
            assert before.chars[0] < after.chars[0] <= before.chars[1] - len("aminophenazone")

    def test_offsets_are_those_of_the_text_in_which_the_passage_stands(self, folder: Path) -> None:
        text = f"Not read. {TEXT}"
        windows = WindowTokenizer(folder, 512).windows(TextToTag(text, [(10, 18), (28, len(text))]))
        assert [text[slice(*window.chars)] for window in windows][:1] == ["Naloxone"]
        assert len(windows) == 2

    def test_half_a_character_and_special_tokens_in_the_text_are_text(self, folder: Path) -> None:
        text = "a\ud800b [SEP] aspirin"
        (window,) = WindowTokenizer(folder, 512).windows(whole(text))
        assert text.index("aspirin") in window.starts and window.chars == (0, len(text))
        assert (window.token_ids == window.token_ids[-1]).sum() == 1


def reference_logit(folder: Path, states: torch.Tensor, c: list[tuple[int, int]], d: list[tuple[int, int]],
                    features: torch.Tensor) -> float:  # fmt: skip
    """One pair as the model's card writes it, in torch."""
    w = {name: tensor.float() for name, tensor in load_file(str(folder / "model.safetensors")).items()}

    def concept(mentions: list[tuple[int, int]]) -> torch.Tensor:
        return torch.logsumexp(torch.stack([states[start:end].mean(0) for start, end in mentions]), 0)

    e_c, e_d = concept(c), concept(d)
    q = w["relation.query.weight"] @ torch.cat([e_c, e_d]) + w["relation.query.bias"]
    keys = states @ w["relation.key.weight"].T
    values = states @ w["relation.value.weight"].T + w["relation.value.bias"]
    size = len(q) // HEADS
    parts = []
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        attention = torch.softmax(keys[:, own] @ q[own] / math.sqrt(size), 0)
        parts.append(attention @ values[:, own])
    joint = (w["relation.subject.weight"] @ e_c + w["relation.subject.bias"]) * (
        w["relation.object.weight"] @ e_d + w["relation.object.bias"]
    )
    x = torch.cat([e_c, e_d, *parts, joint, features])
    hidden = torch.nn.functional.gelu(w["relation.hidden.weight"] @ x + w["relation.hidden.bias"])
    return float((w["relation.out.weight"] @ hidden + w["relation.out.bias"])[0])


def test_scores_of_pairs_are_those_of_the_model_card(folder: Path) -> None:
    states = torch.randn(60, 64, generator=torch.Generator().manual_seed(3))
    chemicals = [[(1, 3), (20, 21)], [(40, 44)]]
    diseases = [[(25, 27)], [(5, 6), (48, 50), (58, 59)]]
    logits = RelationScorer(ExtractorFiles(folder).heads, HEADS).logits(states.numpy(), chemicals, diseases)
    log = math.log1p
    features = [log(2), log(1), 2 / 2, 1 / 3, 1 / 128, 25 / 128, log(2), log(2), log(5), 1, log(1), log(2)]
    expected = reference_logit(folder, states, chemicals[0], diseases[0], torch.tensor(features))
    assert logits.shape == (2, 2)
    assert float(logits[0, 0]) == pytest.approx(expected, abs=1e-4)
    features = [log(1), log(3), 1 / 2, 3 / 3, 40 / 128, 5 / 128, log(2), log(2), log(8), 1, log(1), log(3)]
    expected = reference_logit(folder, states, chemicals[1], diseases[1], torch.tensor(features))
    assert float(logits[1, 1]) == pytest.approx(expected, abs=1e-4)


def test_relations_join_concepts_of_one_window_by_their_labels(tmp_path: Path) -> None:
    taggers = [
        Tagger(
            chosen_profile(
                "cpu",
                extraction_model=str(an_extractor(tmp_path / name, threshold=threshold, max_tokens=64)),
            )
        )
        for name, threshold in (("low", -1e3), ("high", 1e3))
    ]
    far = "Walking is cheap. " * 30
    text = f"Aspirin and heparin cause bleeding. {far}Nausea came."
    (tagged,), (by_high_threshold,) = (each.tag([whole(text)]) for each in taggers)
    concepts = [
        ConceptSpans("Chemical", [(0, 7)]),
        ConceptSpans("Disease", [(text.index("bleeding"), text.index("bleeding") + 8)]),
        ConceptSpans("Chemical", [(12, 19), (len(text) - 5, len(text) - 1)]),
        ConceptSpans("Disease", [(text.index("Nausea"), text.index("Nausea") + 6)]),
    ]
    relations = tagged.relations(concepts)
    assert [(each.subject, each.object) for each in relations] == [(0, 1), (2, 1), (2, 3)]
    for each in relations:
        assert each.predicate == "induces" and each.margin > 0
        start, end = each.window
        assert "bleeding" in text[start:end] if each.object == 1 else "Nausea" in text[start:end]
    below = by_high_threshold.relations(concepts)  # returned too, each with what it lacks
    assert [each.margin for each in below] == pytest.approx(
        [each.margin - 2e3 for each in relations], abs=0.01
    )


def test_a_folder_that_is_no_extractor_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"extractor\.json is missing"):
        ExtractorFiles(tmp_path)
    broken = an_extractor(tmp_path / "broken")
    content = json.loads((broken / "extractor.json").read_text())
    (broken / "extractor.json").write_text(json.dumps({**content, "max_tokens": 1}))
    with pytest.raises(ConfigurationError, match=r"extractor\.json: max_tokens: .*greater than"):
        ExtractorFiles(broken)
    with pytest.raises(ConfigurationError, match="not one of medkg"):
        chosen_profile("cpu", extraction_model="all-MiniLM-L6-v2")
