"""Formulas as one line of text: MathML linearised, so that a formula can be read, embedded and found.

Comes in: a MathML element. Leaves: text such as 'x_i^2', '10^−3' or '(a + b)/2'. Parts side by side that
would read as one number are set apart: '3 1/2', 'x_1 y'. Elements without a linear form (spaces, layout) are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from lxml import etree

from orchestration.parsing.xml.trees import entity_text, local_name

_INVISIBLE_OPERATORS = str.maketrans("", "", "\u2061\u2062\u2063\u2064")
_SIGNS = frozenset("+−±-")
_BEFORE_OPERANDS = frozenset("([{,;=<>≤≥≈≠∼∝+−±×·*/")
_SCRIPTS = frozenset({"msub", "msup", "msubsup", "munder", "munderover"})
_ROWS = frozenset({"math", "mrow", "mstyle", "mpadded", "menclose", "semantics"})
_ONE_PART = re.compile(r"[+\-−]?[^\W_]+(?:[.·]\d+)?")


def formula_text(element: etree._Element) -> str:
    """The formula in one line; the caller normalises white space."""
    name = local_name(element)
    if name in ("annotation", "annotation-xml", "mspace", "mphantom"):
        return ""
    children = list(element)
    if not children:
        return (element.text or "").translate(_INVISIBLE_OPERATORS)
    write = _SHAPES.get(name)
    if write is not None and len(children) >= _ARITY.get(name, 2):
        return write([_child_text(child) for child in children])
    if name in _WRITERS:
        return _WRITERS[name](children)
    if name == "mfenced":
        parts = [_child_text(child) for child in children]
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    return (element.text or "").strip() + _side_by_side(children)


def _child_text(child: etree._Element) -> str:
    if child.tag is etree.Entity:
        return entity_text(str(child.name)) + (child.tail or "").strip()  # type: ignore[attr-defined]
    text = formula_text(child)
    if local_name(child) == "mo" and text.strip() in _SPACED:
        return f" {text.strip()} "
    return text


def _side_by_side(children: Iterable[etree._Element]) -> str:
    """Parts in a row: a sign stands at its number, fractions and indices apart from what is beside them."""
    line, last, is_apart = "", "", False
    for child in children:
        text, shape = _child_text(child), _shape(child, -1)
        before, after = line[-1:], text[:1]
        if text.strip() in _SIGNS and _begins_operand(line):
            text = text.strip()
        elif before.isalnum() and after.isalnum():
            first = _shape(child, 0)
            two_numbers = is_apart and before.isdigit() and after.isdigit()
            if two_numbers or last in _SCRIPTS or "mfrac" in (last, first):
                text = f" {text}"
        line += text
        is_apart = not text  # an invisible operator or a space
        if text:
            last = shape
    return line


def _begins_operand(line: str) -> bool:
    """Whether what comes next on a line is an operand, so that a sign there is its own."""
    return not line.strip() or line.rstrip()[-1] in _BEFORE_OPERANDS


def _shape(element: etree._Element, end: int) -> str:
    """The name of the element that stands at one end (0 or -1) of a row."""
    while local_name(element) in _ROWS and len(element):
        element = element[end]
    return local_name(element)


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or _ONE_PART.fullmatch(text) else f"({text})"


def _base(text: str) -> str:
    """What an index or a power stands at; in parentheses if it has several parts: (a + b)^2."""
    several = " " in text.strip() or "/" in text
    return f"({text.strip()})" if several and text.strip()[:1].isalnum() else text.strip()


def _scripts(below: str, above: str) -> str:
    """The index and the power of a base; one that holds only a space or nothing is not written."""
    written = (f"{sign}{_grouped(text)}" for sign, text in (("_", below), ("^", above)) if text.strip())
    return "".join(written)


def _multiscripts(children: Sequence[etree._Element]) -> str:
    """A base with pairs of index and power, those behind `mprescripts` in front of it: 18F, ^18_9 F."""
    names = [local_name(child) for child in children]
    cut = names.index("mprescripts") if "mprescripts" in names else len(names)
    behind, front = (
        [_child_text(child) for child in part] for part in (children[1:cut], children[cut + 1 :])
    )
    line = _base(_child_text(children[0]))
    for below, above in zip_longest(behind[::2], behind[1::2], fillvalue=""):
        line += _scripts(below, above)
    for below, above in zip_longest(front[::2], front[1::2], fillvalue=""):
        line = (
            f"{_scripts('', above)}{_scripts(below, '')} {line}"
            if below.strip()
            else f"{above.strip()}{line}"
        )
    return line


def _root(children: Sequence[etree._Element]) -> str:
    return f"√{_grouped(_side_by_side(children))}"


_WRITERS: dict[str, Callable[[Sequence[etree._Element]], str]] = {
    "mmultiscripts": _multiscripts,
    "msqrt": _root,
}
_SPACED = frozenset("=<>≤≥≈≠~∼∝→+−±×∈∑∏|") | {"<=", ">="}
_SHAPES: dict[str, Callable[[list[str]], str]] = {
    "msub": lambda part: _base(part[0]) + _scripts(part[1], ""),
    "msup": lambda part: _base(part[0]) + _scripts("", part[1]),
    "msubsup": lambda part: _base(part[0]) + _scripts(part[1], part[2]),
    "munder": lambda part: _base(part[0]) + _scripts(part[1], ""),
    "mover": lambda part: f"{part[0]}{part[1].strip()}",
    "munderover": lambda part: _base(part[0]) + _scripts(part[1], part[2]),
    "mfrac": lambda part: f"{_grouped(part[0])}/{_grouped(part[1])}",
    "mroot": lambda part: f"{_grouped(part[0])}^(1/{part[1]})",
    "mtable": "; ".join,
    "mtr": " ".join,
}
_ARITY = {"msubsup": 3, "munderover": 3, "mtable": 1, "mtr": 1}
