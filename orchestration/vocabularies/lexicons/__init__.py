"""Shipped lexicons: names that annotated corpora use for concepts, with the number of their documents.

Comes in: the tables beside this file. Leaves: one index in memory. Sources and licences: README.md here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from orchestration.vocabularies.concepts import ConceptName, VocabularyConcept
from orchestration.vocabularies.formats.reading import FileOptions
from orchestration.vocabularies.formats.tables import read_table
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.names import name_keys

__all__ = ["joined", "load_lexicon"]


def load_lexicon() -> VocabularyIndex:
    """The shipped lexicons as one index; takes a tenth of a second."""
    tables = sorted(Path(__file__).parent.glob("*.tsv"))
    read = [read_table(table, FileOptions(), delimiter="\t").concepts for table in tables]
    return VocabularyIndex.of_concepts(
        joined([concept for concepts in read for concept in concepts]), "lexicon"
    )


def joined(concepts: list[VocabularyConcept]) -> list[VocabularyConcept]:
    """Concepts by CURIE, each once: names of the same words are one with the sum of their documents.

    The name of most documents is written as in most of them, and is the preferred one.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    spellings: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for concept in concepts:
        kinds[concept.curie].update(concept.kinds)
        for name in concept.names:
            spellings[concept.curie][name_keys(name.text).words][name.text] += name.documents
    result = []
    for curie in sorted(spellings):
        names = [
            ConceptName(max(sorted(texts), key=texts.__getitem__), documents=texts.total())
            for texts in spellings[curie].values()
        ]
        names.sort(key=lambda name: (-name.documents, name.text))
        result.append(VocabularyConcept(curie, tuple(names), tuple(sorted(kinds[curie]))))
    return result
