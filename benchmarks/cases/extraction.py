"""Mentions: the plane's taggers against the model called directly and transformers' pipeline, same weights.

raw: the tagger on ready-made micro-batches, as many threads as lanes. plane: texts in, mentions out, through
Ray. pipeline: transformers' token-classification pipeline over the same encoder and the tagger's linear
layer, as it comes and with batches. relations: pairs of the texts' concepts, scored by the client.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gpu_actors.batches.micro_batches import MicroBatches
from gpu_actors.batches.reading_windows import WindowTokenizer
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.encoders.extractor_files import ExtractorFiles
from gpu_actors.encoders.tagger import Tagger
from gpu_actors.health.cpu import cores
from gpu_actors.profiles import find_model
from orchestration.contracts import ConceptSpans, TaggedText, TextToTag, values_of
from orchestration.errors import ConfigurationError

from ..bench import TIMEOUT, Bench
from ..load.round_robin import best_rates, threads

PIPELINE_BATCH = 16


def measure(bench: Bench) -> dict[str, Any]:
    """Documents per second of all contenders, round robin, and the plane's ratios to them."""
    if bench.profile.extraction_model is None:
        raise ConfigurationError("the profile has no extraction model.")
    model = find_model(bench.profile.extraction_model)
    files = ExtractorFiles(model.files)
    texts = [TextToTag(text, [(0, len(text))]) for text in bench.texts]
    tokenizer = WindowTokenizer(model.files, files.configuration.max_tokens)
    rows = [window.token_ids for text in texts for window in tokenizer.windows(text)]
    tagger = Tagger(bench.profile)
    pipeline = classification_pipeline(files, bench)
    contenders = {
        "raw": on_lanes(tagger, rows, bench.profile.batch_tokens),
        "plane": lambda: bench.plane.tag(texts, TIMEOUT),
        "pipeline": threads(cores(), lambda: pipeline(list(bench.texts))),
        "pipeline_batched": threads(cores(), lambda: pipeline(list(bench.texts), batch_size=PIPELINE_BATCH)),
    }
    rates = best_rates(contenders, len(texts), bench.rounds)
    return {
        "documents": len(texts),
        "tokens_per_document": round(sum(map(len, rows)) / len(texts), 1),
        "model": model.model_id,
        "dtype": tagger.dtype,
        "docs_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "plane_to_raw": round(rates["plane"] / rates["raw"], 3),
        "plane_to_pipeline": round(rates["plane"] / rates["pipeline"], 2),
        "plane_to_pipeline_batched": round(rates["plane"] / rates["pipeline_batched"], 2),
        "relations": relations(bench, texts),
    }


def on_lanes(tagger: Tagger, rows: Sequence[Any], batch_tokens: int) -> Callable[[], Any]:
    """The tagger on ready-made micro-batches, in a thread for each lane."""
    batches = list(MicroBatches(rows, TokenBudget(batch_tokens), tagger.lanes))
    tagger.encode(batches[0].token_ids, batches[0].lengths)

    def work() -> None:
        with ThreadPoolExecutor(tagger.lanes) as lanes:
            list(lanes.map(lambda batch: tagger.encode(batch.token_ids, batch.lengths), batches))

    return threads(1, work)


def classification_pipeline(files: ExtractorFiles, bench: Bench) -> Any:
    """transformers' pipeline over the same weights: its encoder, and the tagger as linear layer."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoTokenizer, BertForTokenClassification, pipeline

    labels = files.configuration.tagger.labels
    config = AutoConfig.from_pretrained(
        str(files.folder),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model: Any = BertForTokenClassification(config)
    weights = load_file(str(files.folder / "model.safetensors"))
    names = {"tagger.weight": "classifier.weight", "tagger.bias": "classifier.bias"}
    named = {
        names.get(name, f"bert.{name}"): tensor.float()
        for name, tensor in weights.items()
        if name in names or name.startswith(("embeddings.", "encoder."))
    }
    missing, unexpected = model.load_state_dict(named, strict=False)
    assert not unexpected and not missing
    tokenizer = AutoTokenizer.from_pretrained(
        str(files.folder), model_max_length=files.configuration.max_tokens
    )
    classifier: Any = pipeline(
        "token-classification",
        model=model.to(torch.float32),
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        device=bench.profile.device,
    )
    classifier.model.train(mode=False)
    classifier(list(bench.texts[:4]))
    return classifier


def relations(bench: Bench, texts: Sequence[TextToTag]) -> dict[str, Any]:
    """CPU seconds per document of scoring the pairs of the texts' mentions, and how many there are."""
    tagged = values_of(bench.plane.tag(texts, TIMEOUT))
    started, relating = time.thread_time(), 0
    for text, read in zip(texts, tagged, strict=True):
        relating += len(read.relations(concepts(text.text, read)))
    seconds = time.thread_time() - started
    return {"cpu_ms_per_document": round(1000 * seconds / len(texts), 2), "found": relating}


def concepts(text: str, tagged: TaggedText) -> list[ConceptSpans]:
    """Mentions of one label and name together."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for each in tagged.spans:
        name = text[each.start_char : each.end_char].lower()
        spans[each.label, name].append((each.start_char, each.end_char))
    return [ConceptSpans(label, places) for (label, _), places in spans.items()]
