"""Every citation mark finds the entry that it cites, however the lists of an article number their entries."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import sections_of
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.jats.reference_lists import BETWEEN_PARTS
from orchestration.records import Document

WORDS = ("kites", "hills", "winds")
_MARK = re.compile(r"(\w+) cite\[(\d+)\]")


def a_list(words: list[str]) -> str:
    entries = (
        f"<ref><label>{number}</label><mixed-citation>On {word}.</mixed-citation></ref>"
        for number, word in enumerate(words, start=1)
    )
    return f"<ref-list>{''.join(entries)}</ref-list>"


def a_text(words: list[str]) -> str:
    """A paragraph that names beside each mark the entry that the mark cites."""
    marks = (
        f'{word} cite<xref ref-type="bibr" rid="r">{number}</xref>; '
        for number, word in enumerate(words, start=1)
    )
    return f"<p>So {''.join(marks)}</p>"


@st.composite
def articles_inside(draw: st.DrawFn, depth: int = 2) -> str:
    """Sub-articles with their own lists and appendices, some of the same title or without one."""
    inner = []
    for _ in range(draw(st.integers(0, 3))):
        title = draw(st.sampled_from(["", "<article-title>Letter</article-title>"]))
        more = draw(articles_inside(depth - 1)) if depth > 1 else ""
        inner.append(
            f"<sub-article><front-stub><title-group>{title}</title-group></front-stub>{draw(texts())}{more}"
            "</sub-article>"
        )
    return "".join(inner)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Body and back matter, with marks for the list of each and perhaps an appendix with its own."""
    own, of_appendix = draw(st.tuples(*[st.lists(st.sampled_from(WORDS), max_size=3, unique=True)] * 2))
    app = f"<app><title>More</title>{a_text(of_appendix)}{a_list(of_appendix)}</app>"
    back = a_list(own) + (app if of_appendix and draw(st.booleans()) else "")
    return f"<body>{a_text(own)}</body><back>{back}</back>"


def cited(document: Document, label: str, headings: tuple[str, ...]) -> str:
    """The entry that a mark under these headings finds by the rule of the guide for documents."""
    labelled = [entry for entry in document.references if entry.label == label]
    entries = [(_depth(entry.part, headings), entry.text) for entry in labelled]
    depth, text = max(entries)
    assert depth >= (0, 0)
    assert [entry[0] for entry in entries].count(depth) == 1
    return text


def _depth(part: str | None, headings: tuple[str, ...]) -> tuple[int, int]:
    """How many headings of a part are around a mark, and the place of the innermost; negative for none."""
    names = part.split(BETWEEN_PARTS) if part else []
    if not set(names) <= set(headings):
        return (-1, -1)
    return (len(names), max((headings.index(name) for name in names), default=0))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(own=texts(), inner=articles_inside())
def test_every_mark_finds_the_entry_that_it_cites(own: str, inner: str) -> None:
    article = an_article("@", back="@").replace(
        b"<body>@</body><back>@</back>", own.encode() + inner.encode()
    )
    document = JatsParser().parse(a_payload(article, "jats", doc_id="1", source="pmc"), "default")
    for section in sections_of(document):
        inside = [block for block in section.blocks if block.kind == "paragraph"]
        for block in inside:
            for word, label in _MARK.findall(document.text[block.start_char : block.end_char]):
                assert cited(document, label, section.title_path) == f"On {word}.", article.decode()
