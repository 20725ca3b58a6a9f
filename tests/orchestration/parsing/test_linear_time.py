"""Reading takes time in proportion to the text, also where thousands of tags, comments or runs have no end.

Each case has 100,000 repeats, which took minutes to hours where each began a new search to the end of the
text. Each takes a second or few, so the time-out of five minutes is generous. What the readers give for small
texts is held to the plain regular expressions that they replace.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from orchestration.contracts import Parser
from orchestration.parsing.markdown import MarkdownParser, _without_comments
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.plain_text import _BLANK_LINES, PlainTextParser
from orchestration.parsing.pubmed.revisions import pubmed_revision
from orchestration.parsing.section_roles import _without_marks, section_role
from orchestration.parsing.xml import markup
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.tex import with_formulas_of_tex
from orchestration.pdf.text_layer.hyphens import Vocabulary, joined_lines
from orchestration.records import RawPayload

REPEATS = 100_000
MANY_TAGS = (
    "<math>",
    "<mml:math>",
    "x <math> 2 ",
    "<math>x</mml:math>",
    "<i>",
    "<sub>",
    "<i a='",
    "&lt;math&gt;",
)
MANY_DOLLARS = ("$", "$$", "$x", r"\(", r"\documentclass", r"\end{document}", r"\begin{", "$x^2", "$5 ", "\\")


def parsed_text(parser: Parser, content: str) -> str:
    payload = RawPayload(
        doc_id="1", source="files", format=parser.format, content=content.encode(), uri="a", version="1"
    )
    return parser.parse(payload, "default").text


def a_markdown_file(content: str) -> str:
    return parsed_text(
        MarkdownParser(), f"# A walk\n\nWalking helps. {content}\n\n<div>\n{content}\n</div>\n\nSleep."
    )


def a_text_file(content: str) -> str:
    return parsed_text(PlainTextParser(), f"Walking{content}helps.\n\nSleep.")


def scripts(content: str) -> str:
    """A line with a superscript of `content`, alone and before a mark, and LaTeX of it."""
    line = etree.fromstring("<p>10<sup/>x<sup><xref ref-type='bibr'>3</xref></sup>y<tex-math/></p>")
    for place in (line[0], line[2]):
        place.text = content
    line[1].text = content
    return inline_text(line, note_marks=frozenset({"1", "a"}))


def words_over_lines(content: str) -> str:
    return joined_lines([f"{content}-", content, "https://a.b/", content], Vocabulary([]))


CASES: list[tuple[Callable[[str], object], str]] = [
    *((markup.plain_text, unit) for unit in (*MANY_TAGS, *MANY_DOLLARS)),
    *((a_markdown_file, unit) for unit in ("<!--", "<!-- ", "<a ", "<", "<!-- --", "--> <!-- ")),
    *((a_text_file, unit) for unit in (" ", "\t", "\f", "\n", " \n x", "- ")),
    *(
        (scripts, unit)
        for unit in ("a", "1", " ", "2 ", "− ", "1,", "a b ", "(", "ab 1 ", "\\begin{", "\\end[")
    ),
    *((words_over_lines, unit) for unit in ("a", "1", "a-", "a/", "1.", "_", "-")),
    *((section_role, unit) for unit in ("*", "[1]", "* ", "[1] ", "[", "]", " ", "1.", "i ", "results ")),
    *(
        (lambda text: pubmed_revision(text.encode(), "x.xml"), unit)
        for unit in (
            "<PMID ",
            "<PMID>",
            "<PMID Version",
            "<DateRevised>",
            "<DateRevised ",
            "<DateRevised><Year>2",
        )
    ),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("read", "unit"), CASES, ids=lambda value: repr(value) if isinstance(value, str) else ""
)
def test_a_hundred_thousand_repeats_are_read_at_once(read: Callable[[str], object], unit: str) -> None:
    read(unit * REPEATS)
    read(f"{unit * REPEATS}x")


@pytest.mark.timeout(300)
def test_an_identifier_of_a_hundred_thousand_digits_is_read_at_once() -> None:
    work = '{"id": "https://openalex.org/W7", "title": "A walk", "ids": {"pmcid": "' + "1" * REPEATS + 'x"}}'
    payload = RawPayload(
        doc_id="W7", source="openalex", format="openalex", content=work.encode(), uri="a.json", version="1"
    )
    assert OpenAlexParser().parse(payload, "default").metadata.get("pmcid") is None


# --- the same as the plain expressions ------------------------------------------------------------------

MATH = re.compile(r"<((?:[a-z]+:)?math)\b[^<>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
TAGS = st.lists(
    st.sampled_from(
        [
            "<math>",
            "</math>",
            "<m:math a='b'>",
            "</m:math >",
            "<MATH>",
            "</Math>",
            "<mathx>",
            "<",
            ">",
            "x",
            "2",
            "\n",
        ]
    ),
    max_size=9,
).map("".join)


@given(TAGS)
def test_formulas_are_found_as_by_the_plain_expression(text: str) -> None:
    expected = MATH.sub(lambda match: f"[{match.group()}]", text)
    read = []

    def bracketed(marked: str) -> str:
        read.append(marked)
        return f"[{marked}]"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_formula", bracketed)
        assert markup._with_formulas(text) == expected
    assert read == [match.group() for match in MATH.finditer(text)]


COMMENTS = st.lists(st.sampled_from(["<!--", "-->", "--", ">", "<!", "a", "\n", "-"]), max_size=9).map(
    "".join
)


@given(COMMENTS)
def test_comments_are_removed_as_by_the_plain_expression(text: str) -> None:
    assert _without_comments(text) == re.sub(r"<!--.*?-->", " ", text, flags=re.DOTALL)


HEADINGS = st.lists(
    st.sampled_from(["Methods", " ", "*", "[1]", "[1,2]", "[", "]", "†", "1", "x", "[a b]"]), max_size=8
).map("".join)


@given(HEADINGS)
def test_marks_of_headings_are_removed_as_by_the_plain_expression(heading: str) -> None:
    plain = " ".join(heading.split())
    assert _without_marks(plain) == re.sub(r"(?:\s*(?:\[[\w,;–-]{1,12}\]|[*†‡§¶#]))+$", "", plain)


BLANKS = st.lists(st.sampled_from(["a", " ", "\n", "\f", "\t", "\v"]), max_size=12).map("".join)


@given(BLANKS)
def test_paragraphs_are_split_as_by_the_plain_expression(text: str) -> None:
    assert _BLANK_LINES.split(text) == re.split(r"(?:[^\S\n]*\n){2,}|\f", text)


@given(
    st.lists(st.sampled_from(["$", "$$", "x", "^2", "_{1}", " ", "5", "\\(", "\\)", "\\alpha"]), max_size=9)
)
def test_no_character_beside_formulas_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    signs = str.maketrans("", "", " $\\(){}^_")
    read = re.sub(r"</?su[bp]>", "", with_formulas_of_tex(text))
    assert read.translate(signs) == text.translate(signs)
