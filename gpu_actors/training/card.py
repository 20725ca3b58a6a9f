"""A trained model's card: what it is made of, how, what was measured, and what it cannot do.

Input: a recipe and a report. Output: the README.md of the model's folder, as model hubs show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from gpu_actors.training.recipe import Recipe, Report

__all__ = ["card"]

SYSTEMS: Final = {
    "sparse": "**this model**",
    "teacher": "its teacher, dense",
    "bm25": "BM25 (SQLite FTS5)",
    "chance": "chance",
}
MEASURES: Final = ("ndcg@10", "recall@10", "mrr@10")
LIBRARIES: Final = ("medkg", "torch", "transformers")

CARD: Final = """\
---
library_name: sentence-transformers
pipeline_tag: feature-extraction
tags: [splade, sparse-encoder]
---
# {name}

A SPLADE (sparse lexical expansion) encoder, made by `medkg train-sparse` from {base}. A text becomes a
sparse vector over the base's word pieces: `max` over tokens of `log(1 + relu(logit))`. Compare vectors by dot
product. Special and unused terms never fire.

    MEDKG_SPARSE_MODEL=/path/to/{name} medkg run auto --path YOUR_FOLDER

```python
from sentence_transformers import SparseEncoder

model = SparseEncoder("/path/to/{name}")
```

`transformers.AutoModelForMaskedLM` with that pooling gives the same vectors.

## Made from
{total} documents ({sources}). {documents} of them, cut into {windows} windows of at most {window_tokens}
tokens, were learnt from, with {pairs} queries made from them ({kinds});
{held_documents} documents with {held_windows} windows were held out of every step.

## Recipe
1. A masked-language-model head{ridge}, {head_steps} steps of {head_batch}
   windows: masked and copied words, spread over the words that the frozen base holds to be nearest.
2. SPLADE training, {splade_steps} steps of {batch} pairs from neighbouring windows: the base's cosines (KL
   divergence, both ways), InfoNCE, and FLOPS and L1 regularisation steered to {document_terms} terms a window
   and {query_terms} a query.

Seed {seed}; {libraries}; {seconds:.0f} seconds in all. The same
documents, options and machine make the same pairs and batches; weights differ by the order in which threads
add.

## Measured
{measured}

## Limits
It knows the words of the documents it was made from, and the base's. Queries were made from the documents
themselves, not asked by people, so the figures above compare models on this collection and promise nothing of
others: judge it on questions of your own with `medkg eval`. Word pieces of rare names expand to words that
share a piece and nothing else. Texts are cut at {limit} tokens by the libraries; medkg encodes longer ones in
pieces. The licences of the base and of the documents apply; none is claimed here.
"""


def card(name: str, recipe: Recipe, report: Report, limit: int) -> str:
    """The card as Markdown; `limit`: tokens that the model takes."""
    return CARD.format(
        **recipe.model_dump(exclude={"base", "held_out"}),
        name=name,
        base=report.base,
        total=sum(report.documents.values()),
        documents=report.documents["learnt_from"],
        held_documents=report.documents["held_out"],
        windows=report.windows["learnt_from"],
        held_windows=report.windows["held_out"],
        sources=_counted(report.sources),
        pairs=sum(report.pairs.values()),
        kinds=_counted(report.pairs),
        ridge=", started by ridge regression" if report.head_made else " (the base's own)",
        head_batch=max(1, recipe.batch // 2),
        libraries=", ".join(f"{library} {version(library)}" for library in LIBRARIES),
        seconds=report.seconds,
        measured=_measured(report),
        limit=limit,
    )


def _measured(report: Report) -> str:
    if not report.measures:
        return "Nothing: no documents were held out, or nothing could be asked of them."
    trial = report.trial
    lines = [
        f"{trial['questions']:.0f} questions made from the held-out documents (a sentence that was then "
        "taken out of its window, a title, keywords), searched for among "
        f"{trial['documents']:.0f} documents, which are ranked by their best window; one is right.",
        "",
        "| | nDCG@10 | recall@10 | MRR@10 |",
        "| --- | --- | --- | --- |",
    ]
    for system, shown in SYSTEMS.items():
        of_system = report.measures[system]
        lines.append(f"| {shown} | " + " | ".join(f"{of_system[name]:.3f}" for name in MEASURES) + " |")
    terms = f"{trial['terms_a_window']:.0f} a window, {trial['terms_a_question']:.0f} a question"
    return "\n".join([*lines, "", f"Mean active terms: {terms}."])


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
