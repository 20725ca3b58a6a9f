"""Markup that publishers leave in titles and abstracts of JSON records: HTML, JATS and MathML tags, and TeX.

Comes in: a string such as '&lt;i&gt;E. coli&lt;/i&gt; at 10<sup>6</sup>' or '<jats:title>Methods</jats:title>
<jats:p>We...'. Leaves: its words; powers as 10^6, indices as CO2; headings and paragraphs apart. Comparisons
('p < 0.05 and b > a') are no tags and stay.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.elements import TYPE_ONLY
from orchestration.parsing.xml.inline_runs import Level
from orchestration.parsing.xml.inline_scripts import written
from orchestration.parsing.xml.mathml import formula_text
from orchestration.parsing.xml.tex import with_formulas_of_tex

__all__ = ["Piece", "pieces_of", "plain_text", "separated", "unescaped", "without_tags"]

_INLINE: Final = (
    "i|b|u|s|em|strong|italic|bold|underline|small|big|sc|scp|tt|code|span|font|a|q|cite|abbr|styled-content|"
    "named-content|ext-link|uri|email|monospace|roman|sans-serif|overline|strike|xref|inline-formula|"
    "disp-formula|alternatives|tex-math|mi|mn|mo|mrow|mtext|semantics|ruby|rb|rt|rp|rtc"
)
_HTML_TYPE_ONLY: Final = frozenset(
    {"a", "abbr", "cite", "font", "q", "s", "scp", "small", "span", "big", "tt"}
)
_HEADING: Final = "title|label|h[1-6]"
_BLOCK: Final = "p|br|sec|div|ul|ol|li|list|list-item|table|tbody|thead|tr|td|th|hr|abstract|body|section"
_TAG: Final = re.compile(
    rf"<(?P<close>/?)(?:[a-z]+:)?(?:(?P<script>sub|sup|inf)|(?P<heading>{_HEADING})|(?P<block>{_BLOCK})"
    rf"|(?P<inline>{_INLINE})|(?P<other>(?<=jats:)[\w-]+|(?<=mml:)[\w-]+))"
    r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*/?>""",
    re.IGNORECASE,
)
_READING: Final = re.compile(r"<(/?)rt\b[^<>]*>", re.IGNORECASE)
_MATH: Final = re.compile(
    r"<(?:(?P<begins>(?:[a-z]+:)?math)\b[^<>]*|/(?P<ends>(?:[a-z]+:)?math)\s*)>", re.IGNORECASE
)
_PREFIX: Final = re.compile(r"(?<=<)(/?)[a-z]+:", re.IGNORECASE)
_ESCAPES: Final = 3
"""Times that a text may have been escaped on its way."""

_HEADINGS: Final = (
    r"Abstract|Background|Introduction|Objectives?|Aims?|Purpose|Rationale|Context|"
    r"(?:Materials and )?Methods?|Design|Setting|Participants|Patients|Interventions?|Measurements|"
    r"Results?|Findings|Discussion|"
    r"Conclusions?|Interpretation|Significance|Limitations|Funding|Trial registration|Registration|"
    r"Main outcome measures?|"
    r"BACKGROUND|OBJECTIVES?|AIMS?|PURPOSE|(?:PATIENTS AND )?METHODS|DESIGN|RESULTS|FINDINGS|CONCLUSIONS?"
)
_GLUED_BEFORE: Final = re.compile(
    rf"(?<=[\w)\]%][.?!:;])(?=(?:{_HEADINGS})\b)|(?<=[.?!])(?=(?:{_HEADINGS})[A-Z])"
)
_GLUED_AFTER: Final = re.compile(rf"(?<![\w-])({_HEADINGS})(?=[A-Z][a-z]|[AI]\s)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A heading or a paragraph."""

    text: str
    is_heading: bool = False


def plain_text(marked: str) -> str:
    """The words in one line."""
    return " ".join(piece.text for piece in pieces_of(marked))


def without_tags(text: str) -> str:
    """The words of a text in one line if it has tags that were escaped in its record, else the text."""
    return plain_text(text) if "<" in text and (_TAG.search(text) or _MATH.search(text)) else text


def pieces_of(marked: str) -> list[Piece]:
    """Headings and paragraphs in order; what has no block tags is one paragraph."""
    text = with_formulas_of_tex(_with_formulas(_with_readings(_without_comments(unescaped(marked)))))
    pieces = [Piece(one_line(words), is_heading) for words, is_heading in _split(text)]
    return [piece for piece in pieces if piece.text]


def separated(paragraph: str) -> str:
    """A paragraph with the headings of its parts set apart where their tags were lost on the way."""
    return _GLUED_AFTER.sub(r"\1 ", _GLUED_BEFORE.sub(" ", paragraph))


def unescaped(text: str) -> str:
    """The text with characters that were escaped once or several times as characters."""
    for _ in range(_ESCAPES):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return text


def _without_comments(text: str) -> str:
    """The text without comments; one that has no end stays."""
    parts: list[str] = []
    at = 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        parts.append(text[at:begin])
        at = end + 3
    return "".join((*parts, text[at:]))


def _with_readings(text: str) -> str:
    """The text with the reading of a word (ruby) in parentheses behind it, unless they stand there."""
    if "<rt" not in text.lower() or "<rp" in text.lower():
        return text
    return _READING.sub(lambda tag: ")" if tag[1] else "(", text)


def _with_formulas(text: str) -> str:
    """The text with each formula of MathML, from its tag to the next end of that name, as text.

    Ends are looked up by name, so that thousands of tags without an end take no longer than others.
    """
    tags = list(_MATH.finditer(text))
    ends: dict[str, list[int]] = defaultdict(list)
    for tag in tags:
        if tag["ends"]:
            ends[tag["ends"].lower()].append(tag.end())
    parts: list[str] = []
    at = 0
    for tag in tags:
        if tag["begins"] and tag.start() >= at:
            of_name = ends[tag["begins"].lower()]
            place = bisect_right(of_name, tag.end())
            if place < len(of_name):
                formula = _formula(text[tag.start() : of_name[place]])
                parts += [text[at : tag.start()], _apart(text, tag.start(), formula, of_name[place])]
                at = of_name[place]
    return "".join((*parts, text[at:]))


def _apart(text: str, start: int, formula: str, end: int) -> str:
    """The formula, with a blank between its digits and digits beside it."""
    left = " " if formula[:1].isdigit() and text[start - 1 : start].isdigit() else ""
    right = " " if formula[-1:].isdigit() and text[end : end + 1].isdigit() else ""
    return f"{left}{formula}{right}"


def _formula(marked: str) -> str:
    """A formula of MathML as text; its tags alone are dropped if it is broken."""
    markup = _PREFIX.sub(r"\1", marked)
    markup = re.sub(r"\s[\w-]+:[\w-]+\s*=\s*(?:\"[^\"]*\"|'[^']*')", "", markup)
    try:
        text = formula_text(etree.fromstring(markup))
    except (etree.XMLSyntaxError, ValueError):
        return marked
    return text.replace("<", " < ")


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """Words between block tags; True for what stands in a heading."""
    parts: list[tuple[Level, str]] = []
    level, heading = Level.TEXT, False
    at, before = 0, ""
    for tag in _TAG.finditer(text):
        before += text[at : tag.start()]
        at = tag.end()
        if (tag["inline"] or "").lower() in TYPE_ONLY or (tag["inline"] or "").lower() in _HTML_TYPE_ONLY:
            continue
        parts.append((level, before))
        before = ""
        if tag["script"]:
            high = tag["script"].lower() == "sup"
            level = Level.TEXT if tag["close"] else Level.HIGH if high else Level.LOW
        elif tag["heading"] or tag["block"]:
            yield written(parts), heading
            parts, level = [], Level.TEXT
            heading = bool(tag["heading"]) and not tag["close"]
    yield written([*parts, (level, before + text[at:])]), heading
