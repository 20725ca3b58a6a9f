"""Builders of annotated documents, and strategies that draw them."""

from __future__ import annotations

from hypothesis import strategies as st

from orchestration.records import (
    AnnotatedClaim,
    AnnotatedDocument,
    AnnotatedMention,
    AnnotatedRelation,
    Judgement,
)

TEXT = "Aspirin relieved headache, and ibuprofen did not cause nausea in adults."


def a_mention(words: str, kind: str = "Drug", *concepts: str, text: str = TEXT) -> AnnotatedMention:
    start = text.index(words)
    return AnnotatedMention(start, start + len(words), kind, words, concepts)


def a_relation(subject: str, object_: str, predicate: str = "causes", **fields: object) -> AnnotatedRelation:
    return AnnotatedRelation(predicate, (subject,), (object_,), **fields)  # type: ignore[arg-type]


def an_annotated(
    *parts: AnnotatedMention | AnnotatedRelation | AnnotatedClaim,
    doc_id: str = "1",
    text: str = TEXT,
    kinds: frozenset[str] | None = None,
) -> AnnotatedDocument:
    return AnnotatedDocument(
        doc_id=doc_id,
        text=text,
        mentions=tuple(part for part in parts if isinstance(part, AnnotatedMention)),
        relations=tuple(part for part in parts if isinstance(part, AnnotatedRelation)),
        claims=tuple(part for part in parts if isinstance(part, AnnotatedClaim)),
        kinds=kinds,
    )


def a_claim(claim_id: str, *judgements: tuple[str, int, int]) -> AnnotatedClaim:
    return AnnotatedClaim(
        claim_id, "aspirin", "placebo", "pain", tuple(Judgement(*each) for each in judgements)
    )


CONCEPTS = st.lists(st.sampled_from(["MESH:D1", "MESH:D2", "MESH:D3"]), max_size=2, unique=True).map(tuple)
ENDS = st.sampled_from(["MESH:D1", "MESH:D2", "MESH:D3"]).map(lambda concept: (concept,))


@st.composite
def mentions(draw: st.DrawFn) -> AnnotatedMention:
    start = draw(st.integers(0, 20))
    end = draw(st.integers(start + 1, 26))
    kind = draw(st.sampled_from(["Drug", "Condition"]))
    return AnnotatedMention(start, end, kind, TEXT[start:end], draw(CONCEPTS))


RELATIONS = st.builds(
    AnnotatedRelation, st.sampled_from(["causes", "treats"]), ENDS, ENDS, st.just(True), st.booleans()
)


@st.composite
def collections(draw: st.DrawFn, size: int) -> list[AnnotatedDocument]:
    """`size` documents with the ids 0, 1, ..., each place with one mention of a kind."""
    return [
        AnnotatedDocument(
            doc_id=str(number),
            text=TEXT,
            mentions=tuple(
                draw(
                    st.lists(
                        mentions(),
                        max_size=6,
                        unique_by=lambda each: (each.start_char, each.end_char, each.kind),
                    )
                )
            ),
            relations=tuple(draw(st.lists(RELATIONS, max_size=5, unique=True))),
        )
        for number in range(size)
    ]


PAIRS = st.integers(1, 4).flatmap(lambda size: st.tuples(collections(size), collections(size)))
