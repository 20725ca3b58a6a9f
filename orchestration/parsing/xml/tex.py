r"""TeX in titles and abstracts of records that are plain text: '$x^2$5 mg', '10$^6$ cells', '\(n = 5\)'.

Input: a line of text. Output: the same with each formula as `<tex-math>` of JATS is read, apart from the
words and numbers beside it; an index or power alone becomes <sub> or <sup>, so that CO$_2$ is read as CO2. A
dollar that begins no formula is money and stays. What Springer leaves around a formula (\documentclass ...)
goes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from lxml import etree

from orchestration.parsing.xml.inline import node_text

__all__ = ["with_formulas_of_tex"]

MOST: Final = 2_000
"""Characters of one formula; what is longer was not meant as one."""

_MARK: Final = re.compile(r"\\documentclass\b|\\end\{document\}|\\[\\$]|\$|\\[()\[\]]")
_DOCUMENT, _END_OF_DOCUMENT = r"\documentclass", r"\end{document}"
_ENDS: Final = {"$": "$", r"\(": r"\)", r"\[": r"\]"}
_SCRIPT: Final = re.compile(r"(?P<sign>[_^])\s*(?:\{(?P<group>[^\\{}^_$<>]{1,20})\}|(?P<one>[^\s\\{}]))")
_SIGNS: Final = frozenset("\\^_{")
_PLAIN: Final = re.compile(
    r"[A-Za-z]'{0,2}|[-+]?\d+(?:\.\d+)?|[A-Za-z]\s*(?:=|<|>|≤|≥|≈|~|\+|-|/)\s*[\w.]+|[<>≤≥=≈~±×]\s*[-+]?[\d.]*"
)
"""Formulas without a sign of TeX: a variable, a number, a comparison, its sign alone."""

_COMMAND_AT_END: Final = re.compile(r"\\[A-Za-z]{1,40}\Z")
_SUFFIX: Final = re.compile(r"(?:th|st|nd|rd|s)\b")


def with_formulas_of_tex(text: str) -> str:
    """The text with its formulas of TeX as text; takes time in proportion to the text."""
    if "$" not in text and "\\" not in text:
        return text
    marks = list(_MARK.finditer(text))
    ends = [mark.start() for mark in marks if mark.group() == _END_OF_DOCUMENT]
    parts: list[str] = []
    at = 0
    for number, mark in enumerate(marks):
        if mark.start() < at:
            continue
        if mark.group() == _DOCUMENT:
            place = bisect_left(ends, mark.end())
            end = ends[place] + len(_END_OF_DOCUMENT) if place < len(ends) else 0
            read = _read(text[mark.start() : end]) if 0 < end - mark.start() <= MOST else None
        else:
            end, read = _between(text, marks, number)
        if read is not None:
            before = text[at : mark.start()] or "".join(parts[-1:])
            parts += [text[at : mark.start()], _apart(before, read, text[end : end + 6])]
            at = end
    return "".join((*parts, text[at:]))


def _between(text: str, marks: list[re.Match[str]], number: int) -> tuple[int, str | None]:
    """Where the formula ends that begins at a mark, and its text; None if none begins there."""
    displayed = _are_adjacent(marks, number)
    begin, last = number + displayed, number + 2 * displayed + 1
    if last >= len(marks) or marks[begin + 1].group() != _ENDS.get(marks[number].group()):
        return 0, None
    if displayed and not _are_adjacent(marks, begin + 1):
        return 0, None
    formula = text[marks[begin].end() : marks[begin + 1].start()]
    is_money = marks[number].group() == "$" and not displayed and not _is_formula(formula)
    if len(formula) > MOST or is_money:
        return 0, None
    return marks[last].end(), _read(formula)


def _are_adjacent(marks: list[re.Match[str]], number: int) -> bool:
    """Whether a dollar is the first of two."""
    pair = marks[number : number + 2]
    return [mark.group() for mark in pair] == ["$", "$"] and pair[0].end() == pair[1].start()


def _is_formula(between_dollars: str) -> bool:
    """Whether it is a formula rather than the words between two prices."""
    if between_dollars != between_dollars.strip() or not between_dollars:
        return False
    return not _SIGNS.isdisjoint(between_dollars) or _PLAIN.fullmatch(between_dollars) is not None


def _read(formula: str) -> str | None:
    """The formula as the reader of JATS reads it; an index or power alone as its tag."""
    script = _SCRIPT.fullmatch(formula.strip())
    if script is not None:
        tag = "sub" if script["sign"] == "_" else "sup"
        return f"<{tag}>{(script['group'] or script['one']).strip()}</{tag}>"
    element = etree.Element("tex-math")
    try:
        element.text = formula
    except ValueError:  # characters that XML has not
        return None
    return node_text(element).replace("<", " < ")


def _apart(before: str, formula: str, after: str) -> str:
    """The formula, with a blank where it would run into a word or number beside it."""
    if formula.startswith(("<sub>", "<sup>")):
        return formula
    left = " " if before[-1:].isalnum() and formula[:1].isalnum() else ""
    is_suffix = _SUFFIX.match(after) and not _COMMAND_AT_END.search(formula)
    ends_open = formula[-1:].isalnum() or formula.endswith((")", "]", "}"))
    right = " " if after[:1].isalnum() and ends_open and not is_suffix else ""
    return f"{left}{formula}{right}"
