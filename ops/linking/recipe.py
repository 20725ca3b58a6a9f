"""Makes what the linker ships: the lexicons, and the weights of its model; and measures both.

Comes in: annotated corpora in PubTator format, and a data folder with vocabularies. Leaves:
orchestration/vocabularies/lexicons/*.tsv and linking_model.json, or figures. Needs scikit-learn.

    python -m ops.linking.recipe lexicons CORPUS=FILE ...
    python -m ops.linking.recipe fit DATA_FOLDER FILE ...
    python -m ops.linking.recipe cross-validate DATA_FOLDER FILE ...
    python -m ops.linking.recipe measure DATA_FOLDER FILE ...
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medkg.testing.builders import a_document
from orchestration.records import LOCAL_PREFIX, Entity, Span, local_concept
from orchestration.vocabularies import lexicons, linking
from orchestration.vocabularies.candidates import FEATURES
from orchestration.vocabularies.concepts import ConceptName, VocabularyConcept
from orchestration.vocabularies.document_names import defined_form, definitions
from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.linking import Linking
from orchestration.vocabularies.wording import is_short_form

FOLDS: Final = 10
THRESHOLD: Final = 0.25
UNFITTED: Final = {"other_scope": -1.0, "by_initials": -2.0}
"""Weights of features that the corpora do not show: their vocabularies have no scopes of synonyms, and the
few names by initials in them are right."""
VOCABULARIES: Final = Path(linking.__file__).parent
KINDS: Final = {"Chemical": "Drug"}
"""Kinds of mentions by the types of the corpora; all others are diseases."""


@dataclass(frozen=True)
class Annotated:
    """An abstract with its mentions, and the concepts that annotators gave each; none: it has none."""

    pmid: str
    text: str
    mentions: tuple[Entity, ...]
    gold: tuple[frozenset[str], ...]


def read_corpus(path: Path) -> list[Annotated]:
    """Abstracts of a file in PubTator format."""
    blocks = re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())
    return [_abstract(block.split("\n")) for block in blocks]


def _abstract(lines: Sequence[str]) -> Annotated:
    pmid, _, title = lines[0].split("|", 2)
    text = f"{title} {lines[1].split('|', 2)[2]}"
    rows = [row for row in (line.split("\t") for line in lines[2:]) if len(row) >= 6 and row[1].isdigit()]
    mentions = tuple(
        _mention(pmid, int(row[1]), int(row[2]), row[3], KINDS.get(row[4], "Condition")) for row in rows
    )
    return Annotated(pmid, text, mentions, tuple(_concepts(row[5]) for row in rows))


def _mention(pmid: str, start: int, end: int, name: str, kind: str) -> Entity:
    return Entity(
        entity_id=f"{start}-{end}-{kind}",
        tenant_id="default",
        doc_id=pmid,
        kind=kind,
        name=name,
        span=Span(start_char=start, end_char=end),
        concept=local_concept(kind, name),
        extraction="gold/1",
    )


def _concepts(written: str) -> frozenset[str]:
    parts = (part.strip() for part in re.split(r"[|+]", written))
    return frozenset(part if ":" in part else f"MESH:{part}" for part in parts if part not in ("", "-1"))


def lexicon_of(abstracts: Sequence[Annotated]) -> list[VocabularyConcept]:
    """Names of mentions with one concept, with the number of abstracts that use them for it.

    An abstract that defines a short form, or has its concept by a longer name, does not count: it does not
    show what the short form means by itself.
    """
    documents: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for abstract in abstracts:
        forms = definitions(abstract.text)
        clear = [
            (mention, min(gold))
            for mention, gold in zip(abstract.mentions, abstract.gold, strict=True)
            if len(gold) == 1
        ]
        in_full = {curie for mention, curie in clear if not is_short_form(mention.name)}
        for mention, curie in clear:
            used = documents[curie, mention.kind, mention.name]
            is_explained = (
                curie in in_full
                or defined_form(mention.name, forms)
                or re.search(rf"[(/]{re.escape(mention.name)}\b", abstract.text)
            )
            if not (is_short_form(mention.name) and is_explained):
                used.add(abstract.pmid)
    return lexicons.joined(
        [
            VocabularyConcept(curie, (ConceptName(" ".join(name.split()), documents=len(pmids)),), (kind,))
            for (curie, kind, name), pmids in sorted(documents.items())
        ]
    )


def write_lexicon(path: Path, concepts: Sequence[VocabularyConcept]) -> int:
    """Write a table of names; returns the number of rows."""
    rows = [
        (concept.curie, name.text, "|".join(concept.kinds), str(name.documents))
        for concept in concepts
        for name in concept.names
    ]
    lines = ["\t".join(row) + "\n" for row in [("id", "name", "kinds", "documents"), *rows]]
    path.write_text("".join(lines), encoding="utf-8")
    return len(rows)


def folds(abstracts: Sequence[Annotated]) -> Iterator[tuple[list[Annotated], list[Annotated]]]:
    """Parts for the lexicon and for measuring; an abstract of two corpora is in one part."""
    pmids = sorted({abstract.pmid for abstract in abstracts})
    fold_of = {pmid: place % FOLDS for place, pmid in enumerate(pmids)}
    for fold in range(FOLDS):
        yield (
            [each for each in abstracts if fold_of[each.pmid] != fold],
            [each for each in abstracts if fold_of[each.pmid] == fold],
        )


def rows_of(linker: Linking, abstract: Annotated) -> Iterator[tuple[tuple[float, ...], bool]]:
    """Features of each candidate of each name, and whether it is right."""
    gold: dict[str, set[str]] = defaultdict(set)
    for mention, concepts in zip(abstract.mentions, abstract.gold, strict=True):
        gold[mention.concept] |= concepts
    for choice in linker.choices(abstract.text, abstract.mentions):
        right = gold[choice.group.concept]
        yield from (
            (row, each.curie in right) for row, each in zip(choice.rows(), choice.candidates, strict=True)
        )


def fit(folder: Path, abstracts: Sequence[Annotated]) -> dict[str, Any]:
    """Weights fitted to names that the lexicon of other abstracts may or may not have."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    indexes = opened(folder)
    rows: list[tuple[tuple[float, ...], bool]] = []
    for others, held_out in folds(abstracts):
        linker = Linking(indexes, VocabularyIndex.of_concepts(lexicon_of(others), "lexicon"))
        rows += [row for abstract in held_out for row in rows_of(linker, abstract)]
    features = np.array([values for values, _ in rows])
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    regression = LogisticRegression(max_iter=5000).fit(
        (features - mean) / deviation, [right for _, right in rows]
    )
    weights = regression.coef_[0] / deviation
    intercept = float(regression.intercept_[0] - (weights * mean).sum())
    fitted = {name: round(float(weight), 5) for name, weight in zip(FEATURES, weights, strict=True)}
    return {
        "threshold": THRESHOLD,
        "intercept": round(intercept, 5),
        "weights": {**fitted, **UNFITTED},
    }


def measure(linker: Linking, abstracts: Sequence[Annotated], counts: Counter[tuple[str, str]]) -> None:
    """Count per kind: mentions, right, linked, linked right. A composite is right if any of it is."""
    for abstract in abstracts:
        document = a_document(abstract.pmid).model_copy(update={"text": abstract.text})
        linked = linker.linked(document, abstract.mentions)
        for mention, written, gold in zip(linked, abstract.mentions, abstract.gold, strict=True):
            concepts = {each.concept for each in linker.taken_apart(written) or [mention]}
            is_linked = not any(each.startswith(LOCAL_PREFIX) for each in concepts)
            is_right = bool(concepts & gold) if is_linked else not gold
            counts[mention.kind, "mentions"] += 1
            counts[mention.kind, "right"] += is_right
            counts[mention.kind, "linked"] += is_linked
            counts[mention.kind, "linked right"] += is_linked and is_right


def shares(counts: Counter[tuple[str, str]]) -> list[str]:
    """One line per kind and over all."""
    kinds = sorted({kind for kind, _ in counts})
    lines = []
    for name, chosen in [*((kind, [kind]) for kind in kinds), ("all", kinds)]:
        mentions, right, linked, linked_right = (
            sum(counts[kind, what] for kind in chosen)
            for what in ("mentions", "right", "linked", "linked right")
        )
        lines.append(
            f"{name}: {right / mentions:.4f} right of {mentions:,}; {linked / mentions:.3f} linked, "
            f"{linked_right / max(1, linked):.3f} of them right"
        )
    return lines


def cross_validated(folder: Path, abstracts: Sequence[Annotated], pmids: set[str]) -> list[str]:
    """Figures of the abstracts with these PMIDs, each linked with the lexicon of the other folds."""
    counts: Counter[tuple[str, str]] = Counter()
    indexes = opened(folder)
    for others, held_out in folds(abstracts):
        linker = Linking(indexes, VocabularyIndex.of_concepts(lexicon_of(others), "lexicon"))
        measure(linker, [each for each in held_out if each.pmid in pmids], counts)
    return shares(counts)


def opened(folder: Path) -> list[VocabularyIndex]:
    """The vocabularies of a data folder."""
    vocabularies = VocabularyFolder(folder / "vocabularies")
    return [vocabularies.open(name) for name in vocabularies.names()]


def main(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name."""
    command, *rest = arguments
    lines: list[str] = []
    if command == "lexicons":
        for name, _, place in (each.partition("=") for each in rest):
            path = VOCABULARIES / "lexicons" / f"{name}.tsv"
            lines.append(f"{path.name}: {write_lexicon(path, lexicon_of(read_corpus(Path(place))))} names")
    elif command in ("fit", "cross-validate"):
        folder, *files = map(Path, rest)
        corpora = [read_corpus(file) for file in files]
        abstracts = [abstract for corpus in corpora for abstract in corpus]
        if command == "fit":
            model = json.dumps(fit(folder, abstracts), indent=2)
            (VOCABULARIES / "linking_model.json").write_text(f"{model}\n", encoding="utf-8")
        else:
            for file, corpus in zip(files, corpora, strict=True):
                pmids = {abstract.pmid for abstract in corpus}
                lines += [str(file), *cross_validated(folder, abstracts, pmids)]
    elif command == "measure":
        folder, *files = map(Path, rest)
        linker = Linking(opened(folder), lexicons.load_lexicon())
        for file in files:
            counts: Counter[tuple[str, str]] = Counter()
            measure(linker, read_corpus(file), counts)
            lines += [str(file), *shares(counts)]
    else:
        lines.append(str(__doc__))
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
