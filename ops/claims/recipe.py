"""Makes the weights of the encoder extractor's claim model, and cross-validates them.

Comes in: an annotated corpus in PubTator format. Leaves: orchestration/extraction/encoder/claim_model.json,
or figures. Needs scikit-learn. The weight of the relation model's margin is no part of the fit: that model
learnt from the same corpus (its F1 there is .96), so the fit would trust it too much.

    python -m ops.claims.recipe fit FILE
    python -m ops.claims.recipe cross-validate FILE
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from orchestration.contracts import CharRange, sentence_spans
from orchestration.extraction.encoder.claim_model import FILE
from orchestration.extraction.encoder.pair_features import ConceptPlaces, Pair
from orchestration.extraction.gold import Naming, gold_document, read_gold
from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.scoring import on_gold_mentions
from orchestration.records import AnnotatedDocument
from orchestration.topology.shipped import shipped_folder

FOLDS: Final = 5
REGULARISATION: Final = 0.1
"""scikit-learn's C."""
MARGIN: Final = 0.2
MARGIN_INTERCEPT: Final = 0.7
"""Of the relation model as evidence beside the fit, from its published precision .551 and recall .616 on
texts that it has not learnt from: the odds of a pair above its threshold (margin about 4.5) rise exp(1.6)
times, of one below (margin about -7.5) they fall to exp(-0.8)."""
THRESHOLDS: Final = {"least_worded": 0.35, "least_same_sentence": 0.55, "least_apart": 0.75}


class Rows(NamedTuple):
    """Pairs of a corpus."""

    names: list[str]
    features: npt.NDArray[np.float64]
    """[pairs, features]."""
    right: npt.NDArray[np.bool_]
    document: npt.NDArray[np.int64]


def rows_of(path: Path) -> Rows:
    """Every chemical with every disease of each abstract, on gold mentions."""
    features: list[dict[str, float]] = []
    right: list[bool] = []
    documents: list[int] = []
    schema = load_graph_schema(shipped_folder())
    naming = Naming({}, {}, schema.kinds, schema.predicates)
    for number, gold in enumerate(read_gold([path], naming).documents):
        for values, is_right in _pairs(gold):
            features.append(values)
            right.append(is_right)
            documents.append(number)
    table = np.array([list(each.values()) for each in features])
    return Rows(list(features[0]), table, np.array(right), np.array(documents))


def _pairs(gold: AnnotatedDocument) -> list[tuple[dict[str, float], bool]]:
    document = gold_document(gold, "default")
    mentions: dict[str, dict[str, list[CharRange]]] = {
        "Drug": defaultdict(list),
        "Condition": defaultdict(list),
    }
    for entity in on_gold_mentions(gold, document, linked=True):
        if entity.kind in mentions:
            place = entity.span.start_char, entity.span.end_char
            mentions[entity.kind][entity.concept].append(place)
    drugs, conditions = mentions["Drug"], mentions["Condition"]
    if not drugs or not conditions:
        return []
    sentences = sentence_spans(document.text)
    places = ConceptPlaces(document.text, sentences, [*drugs.values()], [*conditions.values()])
    related = {pair for relation in gold.relations for pair in product(relation.subject, relation.object)}
    return [
        (Pair(places, first, second).features(), (drug, condition) in related)
        for (first, drug), (second, condition) in product(enumerate(drugs), enumerate(conditions))
    ]


def fitted(rows: Rows) -> tuple[npt.NDArray[np.float64], float]:
    """Weights by feature, and the intercept."""
    mean, deviation = rows.features.mean(0), rows.features.std(0) + 1e-6
    regression = LogisticRegression(max_iter=5000, C=REGULARISATION)
    regression.fit((rows.features - mean) / deviation, rows.right)
    weights = regression.coef_[0] / deviation
    return weights, float(regression.intercept_[0] - (weights * mean).sum())


def model_of(rows: Rows) -> dict[str, Any]:
    """What claim_model.json holds."""
    weights, intercept = fitted(rows)
    return {
        "intercept": round(intercept + MARGIN_INTERCEPT, 5),
        "margin": MARGIN,
        **THRESHOLDS,
        "weights": {name: round(float(weight), 5) for name, weight in zip(rows.names, weights, strict=True)},
    }


def cross_validated(rows: Rows) -> list[str]:
    """The best F1 of pairs over all thresholds, and precision by band of probability; features alone."""
    scores = np.zeros(len(rows.right))
    for fold in range(FOLDS):
        held = rows.document % FOLDS == fold
        others = Rows(rows.names, rows.features[~held], rows.right[~held], rows.document[~held])
        weights, intercept = fitted(others)
        scores[held] = rows.features[held] @ weights + intercept
    lines = []
    best = (0.0, "")
    for least in np.arange(-3, 2, 0.1):
        chosen = scores >= least
        hits = int((chosen & rows.right).sum())
        precision, recall = hits / max(1, int(chosen.sum())), hits / int(rows.right.sum())
        f1 = 2 * hits / (int(chosen.sum()) + int(rows.right.sum()))
        best = max(best, (f1, f"features alone: {precision:.3f} / {recall:.3f} / {f1:.3f}"))
    lines.append(best[1])
    probability = 1 / (1 + np.exp(-scores))
    for step in range(10):
        band = (probability >= step / 10) & (probability < (step + 1) / 10)
        if band.any():
            lines.append(f"{step / 10:.1f}: {int(band.sum())} pairs, {rows.right[band].mean():.2f} right")
    for name in ("direct", "causes"):
        has = rows.features[:, rows.names.index(name)] > 0
        lines.append(f"{name}: {int(has.sum())} pairs, {rows.right[has].mean():.2f} right")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name."""
    command, file = arguments
    rows = rows_of(Path(file))
    if command == "fit":
        FILE.write_text(json.dumps(model_of(rows), indent=2) + "\n", encoding="utf-8")
    elif command == "cross-validate":
        sys.stdout.write("".join(f"{line}\n" for line in cross_validated(rows)))
    else:
        sys.stdout.write(str(__doc__))


if __name__ == "__main__":
    main(sys.argv[1:])
