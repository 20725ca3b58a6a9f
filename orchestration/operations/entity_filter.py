"""Entities of a search: the filter `--entity`, and the concepts that a question names.

Input: keys (MESH:D003920) or names. Output: the documents that mention each of them: itself, what an alias or
a cross-reference of a vocabulary makes the same, or a concept below it in a vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import reduce

from orchestration.errors import UsageError
from orchestration.operations.parts import Parts
from orchestration.records import DocumentKey
from orchestration.retrieval.graph_leg import Recognise
from orchestration.vocabularies.curies import curie_of
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.names import name_keys

__all__ = ["concepts_of_names", "documents_about"]

Notify = Callable[[str], None]


def documents_about(parts: Parts, entities: Sequence[str], notify: Notify) -> frozenset[DocumentKey]:
    """Documents that mention all of the entities; `entities`: at least one.

    Reports an entity that no document mentions. Raises UsageError for a name that neither the graph nor a
    vocabulary has, or that is empty.
    """
    of_each = [_documents(parts, entity, notify) for entity in dict.fromkeys(entities)]
    return reduce(frozenset.intersection, of_each)


def concepts_of_names(parts: Parts, tenant_id: str) -> Recognise:
    """What a question's names stand for: concepts of the graph, and of vocabularies if the graph has them."""
    kinds = set(parts.graph_schema.prose_kinds)

    def recognise(names: Sequence[str]) -> dict[str, set[str]]:
        concepts = {
            name: set(keys) for name, keys in parts.ledger.graph.named(tenant_id, names, kinds).items()
        }
        for name, keys in _in_vocabularies(parts, names).items():
            concepts.setdefault(name, set()).update(keys)
        return concepts

    return recognise


def _documents(parts: Parts, entity: str, notify: Notify) -> frozenset[DocumentKey]:
    graph, tenant_id = parts.ledger.graph, parts.settings.tenant
    if not entity.strip():
        raise UsageError("--entity is empty. Give a key, e.g. MESH:D003920, or a name.")
    keys = {entity} if graph.concepts(tenant_id, keys=[entity], limit=1) else set()
    if curie := curie_of(entity):
        keys.add(curie)
    if not keys:
        keys |= {each.concept for each in graph.concepts(tenant_id, named=entity, exactly=True, limit=1000)}
        keys |= _in_vocabularies(parts, [entity]).get(entity, set())
    if not keys:
        raise UsageError(
            f"--entity {entity}: no concept of the graph or of a vocabulary is called so. "
            "`medkg graph entities` lists those of the graph."
        )
    documents = graph.mentioning(tenant_id, keys | _related(parts, keys))
    if not documents:
        notify(f"--entity {entity}: no document mentions it, nor anything below it in a vocabulary")
    return documents


def _in_vocabularies(parts: Parts, names: Sequence[str]) -> dict[str, set[str]]:
    """Concepts of vocabularies with each name, as names are written alike; names without one are left out."""
    wanted = {name_keys(name): name for name in names}
    by_words = {keys.joined: name for keys, name in wanted.items()}
    concepts: dict[str, set[str]] = {}
    for index in _indexes(parts):
        for each in index.named(wanted):
            if (name := by_words.get(each.keys.joined)) is not None:
                concepts.setdefault(name, set()).add(each.curie)
    return concepts


def _related(parts: Parts, keys: Iterable[str]) -> set[str]:
    """What the vocabularies have below these concepts, and their keys in other vocabularies."""
    related: set[str] = set()
    for index in _indexes(parts):
        for key in keys:
            concept = index.concept(key)
            same = {*index.referring(key), *(concept.cross_references if concept else ())}
            related |= same
            for each in (key, *sorted(same)):
                related.update(index.narrower(each))
    return related


def _indexes(parts: Parts) -> Iterator[VocabularyIndex]:
    """Each vocabulary's index, open until the next one is asked for."""
    for vocabulary in parts.vocabularies.names():
        with closing(parts.vocabularies.open(vocabulary)) as index:
            yield index
