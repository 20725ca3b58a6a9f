"""A trained extractor's card: what it is made of, how, what was measured, and what it cannot do.

Input: a recipe and a report. Output: the README.md of the model's folder, as model hubs show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from gpu_actors.training.extraction.recipe import ExtractorRecipe, ExtractorReport

__all__ = ["HEADS_MATHS", "card"]

LIBRARIES: Final = ("medkg", "torch", "transformers")

HEADS_MATHS: Final = """\
## What it computes
One BERT, three heads; weights in fp16, to be used in fp32. H: last hidden states of a row.
`extractor.json` has the labels, the order of the features, the limits and the threshold.

- **Mentions.** A row is [CLS] text [SEP], at most 512 word pieces; longer texts are cut at sentence
  ends. Scores of a piece: `tagger.weight @ h + tagger.bias`. A word (white space and each punctuation
  mark separate words) has the mean of its pieces' scores. Labels are the best path over words (Viterbi)
  with `tagger.start` and `tagger.transitions` [from, to], in which moves that no labelling makes have
  -10,000. A mention is B- and the I- that follow.
- **Relations.** Of the same H: m = mean over a mention's pieces; e = logsumexp over a concept's
  mentions in the row. For a chemical c and a disease d: queries = `relation.query` of [e_c; e_d], keys
  and values = `relation.key`, `relation.value` of H, 4 heads of 64, softmax of q.k / 8 over the row's
  tokens: the context. Product = `relation.subject`(e_c) * `relation.object`(e_d). Logit =
  `relation.out`(gelu(`relation.hidden`([e_c; e_d; context; product; features]))). It is a relation from
  the threshold on.
- **Directions.** A row is [CLS] intervention [SEP] comparator [SEP] outcome [SEP] evidence [SEP], each
  of the first three cut to 32 pieces and the row to 320. Scores = `direction.weight @ [h of CLS; mean
  of H] + direction.bias`.
"""

CARD: Final = """\
---
pipeline_tag: token-classification
tags: [biomedical, named-entity-recognition, relation-extraction]
---
# {name}

Finds chemicals and diseases in biomedical text, which chemical induces which disease, and in which
direction an intervention changed an outcome. Made by `medkg train-extractor` from {base}.

{maths}
## Made from
{texts} annotated texts with {mentions} and {relations} relations, and {questions} questions about
directions. {held_texts} texts and {held_questions} questions were held out of every step.

## Recipe
{text_epochs} passes over the texts, {direction_epochs} over the questions, evenly mixed, in batches of
at most {batch_tokens} tokens. AdamW, rate {body_rate} for the uppermost layer, {layer_decay} times less
for each below, {head_rate} for the heads, linearly down to 0. Tagger: conditional random field; in a
text whose annotators looked for one kind only, all labellings of the other count as right. Relations:
binary cross entropy, weight {relation_weight}. Directions: cross entropy, weight {direction_weight}.
Dropout {dropout}, {masked} of the words masked. bf16 products on a CPU.

Seed {seed}; {libraries}; {seconds:.0f} seconds in all. The same gold, options and machine draw the same
batches; weights differ by the order in which sums are made.

## Measured
{measured}

## Limits
It knows the kinds, guidelines and topics of the gold it was made from: measure it on texts of yours
with `medkg eval-extract`. Relations and directions are classified, not proved. English. The licences of
the base and of the gold apply; none is claimed here.
"""


def card(name: str, recipe: ExtractorRecipe, report: ExtractorReport) -> str:
    """The card as Markdown."""
    return CARD.format(
        **recipe.model_dump(exclude={"base", "held_out", "outside_bias", "threshold"}),
        name=name,
        base=report.base,
        maths=HEADS_MATHS,
        texts=report.texts["learnt_from"],
        held_texts=report.texts["held_out"],
        questions=report.questions["learnt_from"],
        held_questions=report.questions["held_out"],
        mentions=_counted(report.mentions),
        relations=report.relations,
        libraries=", ".join(f"{library} {version(library)}" for library in LIBRARIES),
        seconds=report.seconds,
        measured=_measured(report),
    )


def _measured(report: ExtractorReport) -> str:
    if not report.measures:
        return "Nothing: no documents were held out."
    lines = ["On the held-out documents; mentions exact, relations on gold mentions:", ""]
    for name, scores in report.measures.items():
        lines.append(f"- {name}: " + ", ".join(f"{measure} {value:.3f}" for measure, value in scores.items()))
    chosen = f"The relations' threshold (a logit of {report.threshold}) and the tagger's outside bias"
    lines += ["", f"{chosen} were chosen on the same documents."]
    return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} mentions of {name}" for name, count in sorted(counts.items()))
