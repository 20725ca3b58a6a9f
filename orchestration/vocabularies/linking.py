"""The linker: gives mentions the concepts of vocabularies, decided by name and by the rest of the document.

Comes in: a document with its mentions. Leaves: the same mentions; those whose concept is local and whose best
candidate is probable enough have its CURIE. The probability is a logistic regression over `FEATURES`, fitted
by ops/linking; its weights are in linking_model.json.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

from orchestration.contracts import Extraction, Outcome
from orchestration.errors import MedkgError
from orchestration.records import LOCAL_PREFIX, Claim, Document, Entity
from orchestration.vocabularies.candidates import FEATURES, Candidate, Candidates, Query, features_of
from orchestration.vocabularies.coordination import readings
from orchestration.vocabularies.curies import prefix_of
from orchestration.vocabularies.document_names import GroupKey, NamedGroup, group_key, groups_of
from orchestration.vocabularies.folder import State, VocabularyFolder
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.lexicons import load_lexicon
from orchestration.vocabularies.names import MOST_CHARACTERS, name_keys
from orchestration.vocabularies.wording import is_symbol

__all__ = ["Choice", "Link", "Linking", "VocabularyLinker", "context_of", "vocabulary_shape"]

LINKER_VERSION: Final = 3
"""Changes whenever the same vocabularies give other links."""
REGISTRY_PROBABILITY: Final = 0.8
"""Least probability for mentions of structured records; their other concepts are as the record states."""
COORDINATED_PROBABILITY: Final = 0.5
"""Least probability of each of the concepts that a coordination names: more probably right than not."""
STATED_PROBABILITY: Final = 0.99
"""For a name whose concept the document itself states elsewhere."""
MOST_IDENTIFIERS: Final = 20
"""Cross-references that a mention takes over."""

_REGISTRY: Final = "registry/"
_NARROWER_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Intervention": ("Drug", "Device", "Procedure", "Behavior"),
    "Topic": ("Condition", "Drug", "Device", "Procedure", "Behavior"),
}
"""Kinds of which a mention of a wider kind may be."""
_PREFERRED: Final = "MESH"
"""Of concepts that refer to each other, the one with this prefix is taken: records of trials have these."""


@dataclass(frozen=True, slots=True)
class Link:
    """The concept of a mention, and how probable it is."""

    curie: str
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A group of mentions, the candidates that its document allows, and what other mentions are of."""

    group: NamedGroup
    candidates: Sequence[Candidate]
    elsewhere: Mapping[str, int]
    """Other mentions of the document per concept."""

    def rows(self) -> list[tuple[float, ...]]:
        """Features of each candidate."""
        return features_of(self.candidates, self.elsewhere, self.group.kind, self.group.name)


class Linking:
    """Links mentions by one state of the vocabularies. Immutable; thread-safe."""

    def __init__(self, indexes: Sequence[VocabularyIndex], lexicon: VocabularyIndex) -> None:
        self._indexes = [*indexes, lexicon]
        self._candidates = Candidates(indexes, lexicon)
        self._kinds = frozenset(kind for index in self._indexes for kind in index.about.kinds)

    def linked(self, document: Document, mentions: Sequence[Entity]) -> list[Entity]:
        """The mentions in their order, linked where that is probable."""
        known = [each for each in mentions if not each.concept.startswith(LOCAL_PREFIX)]
        links = self._links(document.text, mentions, known)
        return [self._with_link(mention, links.get(group_key(mention))) for mention in mentions]

    def taken_apart(self, mention: Entity) -> list[Entity]:
        """A mention per concept that an unlinked mention names together; empty where it names one.

        "ovarian and breast cancer" is of two concepts where vocabularies know both full names and not the
        whole. Mentions of structured records stay whole.
        """
        if mention.extraction.startswith(_REGISTRY) or not self._can_be_linked(mention):
            return []
        choices = readings(mention.name)
        if not choices or any(each.is_exact for each in self.candidates(_named(mention, mention.name))):
            return []
        best: tuple[float, list[Link]] = (COORDINATED_PROBABILITY, [])
        for names in reversed(choices):  # of equally probable ones the first
            groups = [_named(mention, name) for name in names]
            best_links = [self._best(Choice(group, self.candidates(group), {})) for group in groups]
            links = [each for each in best_links if each is not None]
            least = min((each.probability for each in links), default=0.0)
            if len(links) == len(names) == len({each.curie for each in links}) and least >= best[0]:
                best = least, links
        return [
            self._with_link(mention, link).model_copy(
                update={"entity_id": _hashed("e", mention.entity_id, link.curie)}
            )
            for link in best[1]
        ]

    def candidates(self, group: NamedGroup) -> list[Candidate]:
        """What a group of mentions may be of."""
        return self._candidates.of(group.queries, self._kinds_of(group.kind))

    def _can_be_linked(self, mention: Entity) -> bool:
        is_name = len(mention.name) <= MOST_CHARACTERS
        return is_name and mention.concept.startswith(LOCAL_PREFIX) and bool(self._kinds_of(mention.kind))

    def _kinds_of(self, kind: str) -> frozenset[str]:
        return self._kinds.intersection(_kinds_within(kind))

    def choices(self, text: str, mentions: Sequence[Entity], known: Sequence[Entity] = ()) -> list[Choice]:
        """Groups of unlinked mentions with the candidates that the document allows.

        `known`: mentions whose concept the record states.
        """
        groups = groups_of(text, filter(self._can_be_linked, mentions))
        candidates = [self.candidates(group) for group in groups]
        in_full = [
            of_group for group, of_group in zip(groups, candidates, strict=True) if not group.is_undefined
        ]
        context = Counter(each.concept for each in known) + context_of(in_full)
        symbols = sum(is_symbol(group.name) and group.kind == "Drug" for group in groups)
        return [
            Choice(
                group,
                [
                    each
                    for each in of_group
                    if each.curie in context or each.is_known_by(group.name, has_symbols=symbols > 0)
                ],
                context,
            )
            if group.is_undefined
            else Choice(group, of_group, context - context_of([of_group]))
            for group, of_group in zip(groups, candidates, strict=True)
        ]

    def _links(self, text: str, mentions: Sequence[Entity], known: Sequence[Entity]) -> dict[GroupKey, Link]:
        choices = self.choices(text, mentions, known)
        links: dict[GroupKey, Link] = {}
        for choice in choices:
            best = self._best(choice)
            if best is not None and best.probability >= _least_probability(choice.group):
                links[choice.group.key] = best
        sure = {key: link for key, link in links.items() if link.probability >= REGISTRY_PROBABILITY}
        named = [self._with_link(each, sure[group_key(each)]) for each in mentions if group_key(each) in sure]
        groups = [choice.group for choice in choices]
        unlinked = [group for group in groups if group.key not in links]
        return links | _stated(unlinked, named) | _stated(groups, known)

    def _best(self, choice: Choice) -> Link | None:
        if not choice.candidates:
            return None
        ranked = sorted(
            zip(map(_model().probability, choice.rows()), choice.candidates, strict=True),
            key=lambda pair: (-pair[0], pair[1].curie),
        )
        probability, best = ranked[0]
        chosen = self._preferred(best, [each for _, each in ranked if each.is_exact])
        return Link(chosen.curie, chosen.name, probability)

    def _preferred(self, best: Candidate, exact: Sequence[Candidate]) -> Candidate:
        """Of concepts that have the name and refer to the best one, the one by which concepts are known."""
        if not best.is_exact or prefix_of(best.curie) == _PREFERRED:
            return best
        referred = set(self._references(best.curie))
        same = [
            each
            for each in exact
            if prefix_of(each.curie) == _PREFERRED
            and (each.curie in referred or best.curie in self._references(each.curie))
        ]
        return min(same, key=lambda each: each.curie) if len(same) == 1 else best

    def _references(self, curie: str) -> tuple[str, ...]:
        """Cross-references of a concept in all vocabularies, and those that refer to it."""
        references: dict[str, None] = {}
        for index in self._indexes:
            concept = index.concept(curie)
            references |= dict.fromkeys(concept.cross_references if concept else ())
            references |= dict.fromkeys(index.referring(curie))
        references.pop(curie, None)
        return tuple(references)

    def _with_link(self, mention: Entity, link: Link | None) -> Entity:
        if link is None:
            return mention
        identifiers = dict.fromkeys([*mention.identifiers, *self._references(link.curie)[:MOST_IDENTIFIERS]])
        identifiers.pop(link.curie, None)
        return mention.model_copy(
            update={
                "concept": link.curie,
                "identifiers": tuple(identifiers),
                "confidence": round(mention.confidence * link.probability, 4),
            }
        )


def _named(mention: Entity, name: str) -> NamedGroup:
    """A mention as if it had this name."""
    renamed = mention.model_copy(update={"name": name})
    return NamedGroup(mention.concept, mention.kind, (renamed,), (Query(name),))


def _kinds_within(kind: str) -> tuple[str, ...]:
    return kind, *_NARROWER_KINDS.get(kind, ())


def _stated(groups: Sequence[NamedGroup], known: Sequence[Entity]) -> dict[GroupKey, Link]:
    """Links to concepts that the document states for the same name elsewhere, e.g. a trial's MeSH terms."""
    by_name: dict[tuple[str, str], list[Entity]] = defaultdict(list)
    for mention in known:
        by_name[_name_of(mention)].append(mention)
    links: dict[GroupKey, Link] = {}
    for group in groups:
        concepts = {
            each.concept: each.name
            for mention in group.mentions
            for each in by_name.get(_name_of(mention), ())
            if each.kind in _kinds_within(group.kind) or group.kind in _kinds_within(each.kind)
        }
        if len(concepts) == 1:
            ((curie, name),) = concepts.items()
            links[group.key] = Link(curie, name, STATED_PROBABILITY)
    return links


def _name_of(mention: Entity) -> tuple[str, str]:
    """Words of a name, and the name as written if it is short: NO is not no."""
    return name_keys(mention.name).bag, group_key(mention)[1]


def context_of(candidates: Sequence[Sequence[Candidate]]) -> Counter[str]:
    """The concepts that names of a document have exactly: of each name the one that is seen most."""
    context: Counter[str] = Counter()
    for of_group in candidates:
        exact = [each for each in of_group if each.is_exact]
        if exact:
            values = [(each.values["seen_name"], each.values["preferred_name"], each.curie) for each in exact]
            context[max(values)[-1]] += 1
    return context


def _least_probability(group: NamedGroup) -> float:
    is_of_record = any(each.extraction.startswith(_REGISTRY) for each in group.mentions)
    return REGISTRY_PROBABILITY if is_of_record else _model().threshold


class VocabularyLinker:
    """Linker over the vocabularies of a data folder and the shipped lexicons.

    A vocabulary that is added or removed is in use from the next call on.
    """

    def __init__(self, folder: VocabularyFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._state: State | None = None
        self._version: tuple[State, str] | None = None
        self._linking: Linking | None = None
        self._lexicon: VocabularyIndex | None = None

    @property
    def version(self) -> str:
        """Hash of linker, model, lexicons and vocabularies; raises StoreCorruptError for a damaged one."""
        state = self._folder.state()
        if self._version is None or self._version[0] != state:
            content = json.dumps(vocabulary_shape(self._folder), sort_keys=True)
            self._version = state, hashlib.sha256(content.encode()).hexdigest()[:16]
        return self._version[1]

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> list[Outcome[Extraction]]:
        """The extractions with linked mentions; raises StoreCorruptError for a damaged vocabulary."""
        linking = self._present()
        outcomes: list[Outcome[Extraction]] = []
        for document, (entities, claims) in items:
            try:
                outcomes.append(_linked(linking, document, (entities, claims)))
            except MedkgError as error:
                outcomes.append(error)
        return outcomes

    def _present(self) -> Linking:
        """What links by the vocabularies that are there now."""
        with self._lock:
            state = self._folder.state()
            if self._linking is None or state != self._state:
                self._lexicon = self._lexicon or load_lexicon()
                indexes = [self._folder.open(name) for name in self._folder.names()]
                self._state, self._linking = state, Linking(indexes, self._lexicon)
            return self._linking


def _linked(linking: Linking, document: Document, extraction: Extraction) -> Extraction:
    """The extraction with linked mentions; those of several concepts, and their claims, once per concept."""
    entities, claims = extraction
    apart = {each.entity_id: linking.taken_apart(each) for each in entities}
    linked = [
        each
        for mention in linking.linked(document, entities)
        for each in apart[mention.entity_id] or [mention]
    ]
    return linked, [each for claim in claims for each in _claims_of(claim, apart)]


def _claims_of(claim: Claim, apart: Mapping[str, Sequence[Entity]]) -> list[Claim]:
    """The claim, for each of the mentions that its own were taken apart into."""
    subjects, objects = (
        [each.entity_id for each in apart.get(end, ())] or [end] for end in (claim.subject, claim.object)
    )
    if [*subjects, *objects] == [claim.subject, claim.object]:
        return [claim]
    return [
        claim.model_copy(
            update={
                "claim_id": _hashed("c", claim.claim_id, subject, object_),
                "subject": subject,
                "object": object_,
            }
        )
        for subject, object_ in product(subjects, objects)
    ]


def _hashed(letter: str, *parts: str) -> str:
    return letter + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def vocabulary_shape(folder: VocabularyFolder) -> dict[str, Any]:
    """Everything that shapes links: part of the fingerprint of mentions and claims."""
    return {
        "linker": LINKER_VERSION,
        "model": _hash_of(Path(__file__).with_name("linking_model.json")),
        "lexicons": {
            table.stem: _hash_of(table)
            for table in sorted((Path(__file__).parent / "lexicons").glob("*.tsv"))
        },
        "vocabularies": folder.shape(),
    }


@dataclass(frozen=True, slots=True)
class _Model:
    """Weights of the features, and the probability below which a mention stays unlinked."""

    intercept: float
    weights: tuple[float, ...]
    threshold: float

    def probability(self, features: Sequence[float]) -> float:
        """That the candidate is the mention's concept; the same on every machine."""
        products = (weight * value for weight, value in zip(self.weights, features, strict=True))
        return round(1 / (1 + math.exp(-math.fsum((self.intercept, *products)))), 4)


@cache
def _model() -> _Model:
    content = json.loads(Path(__file__).with_name("linking_model.json").read_text(encoding="utf-8"))
    weights = tuple(content["weights"][name] for name in FEATURES)
    return _Model(content["intercept"], weights, content["threshold"])


@cache
def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
