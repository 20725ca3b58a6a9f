"""Formulas as one line of text: MathML linearised, so that a formula can be read, embedded and found.

Comes in: a MathML element. Leaves: text such as 'x_i^2', '10^−3' or '(a + b)/2'. Parts side by side that
would read as one are set apart: '3 1/2', 'x_1 y', '√x y'. Several factors under a power, a root or a
fraction bar stand in parentheses: '(2x)^2', '√(2x)', '1/(2x)'. Elements without a linear form (spaces,
layout) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from lxml import etree

from orchestration.parsing.xml.trees import entity_text, local_name

_INVISIBLE_OPERATORS = str.maketrans("", "", "\u2061\u2062\u2063\u2064")
_SIGNS = frozenset("+−±-")
_BEFORE_OPERANDS = frozenset("([{,;=<>≤≥≈≠∼∝+−±×·*/")
_SCRIPTS = frozenset({"msub", "msup", "msubsup", "munder", "munderover"})
_OPEN_ENDED = _SCRIPTS | {"mfrac", "mmultiscripts", "mroot", "msqrt"}
"""Elements whose last part would take in what stands directly behind it."""
_ENDS = frozenset(")]}")
_CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "〈": "〉", "|": "|", "∥": "∥", "‖": "‖"}
_ROWS = frozenset({"math", "mrow", "mstyle", "mpadded", "menclose", "semantics"})
_ONE_PART = re.compile(r"[+\-−]?[^\W_]+(?:[.·]\d+)?")
_NUMBER = re.compile(r"\d+(?:[.,·]\d+)*")
_WITH_INDEX = re.compile(r"\w_(?:\w+|\([^()]*\))")
_DIFFERENTIAL = re.compile(r"d[^\W\d_]")
_BEFORE_FACTORS = frozenset("+−-√∂Δ([{")
_DIGIT = re.compile(r"\d")


class _Part(NamedTuple):
    """One operand of a fraction, a root or a script."""

    text: str
    is_one: bool
    """Whether it is a single symbol, word or number, so that a sign beside it holds for all of it."""


def formula_text(element: etree._Element) -> str:
    """The formula in one line; the caller normalises white space."""
    name = local_name(element)
    if name in ("annotation", "annotation-xml", "mspace", "mphantom"):
        return ""
    children = _shown(element, name)
    if not children:
        return (element.text or "").translate(_INVISIBLE_OPERATORS)
    if name == "menclose" and "radical" in element.get("notation", "").split():
        name = "msqrt"
    write = _SHAPES.get(name)
    if write is not None and len(children) >= _ARITY.get(name, 2):
        return write([_part(child) for child in children])
    if name in _WRITERS:
        return _WRITERS[name](children)
    if name == "mfenced":
        parts = [_child_text(child) for child in children]
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    return (element.text or "").strip() + _side_by_side(children)


def _shown(element: etree._Element, name: str) -> list[etree._Element]:
    """The parts of an element that are displayed: of several states of an action the selected one."""
    children = list(element)
    if name != "maction":
        return children
    selected = element.get("selection", "1").strip()
    number = int(selected) if selected.isdecimal() and 0 < int(selected) <= len(children) else 1
    return children[number - 1 : number]


def _child_text(child: etree._Element) -> str:
    if child.tag is etree.Entity:
        return entity_text(str(child.name)) + (child.tail or "").strip()  # type: ignore[attr-defined]
    text = formula_text(child)
    if local_name(child) == "mo" and text.strip() in _SPACED:
        return f" {text.strip()} "
    return text


def _part(element: etree._Element) -> _Part:
    text = _child_text(element)
    return _Part(text, _is_one(element, text.strip()))


def _is_one(element: etree._Element, text: str) -> bool:
    if _NUMBER.fullmatch(text) or len(text) <= 1 or _is_enclosed(text):
        return True
    while local_name(element) in _ROWS and len(element):
        written_children = [child for child in element if _child_text(child).strip()]
        if len(written_children) != 1:
            return False
        element = written_children[0]
    if local_name(element) == "mover" and len(element) > 1:
        return _part(element[0]).is_one and not text.endswith("^")
    return not len(element) and " " not in text


def _is_enclosed(text: str) -> bool:
    """Whether one pair of brackets stands around the whole text."""
    if text[:1] not in _CLOSING or text[-1:] != _CLOSING[text[0]]:
        return False
    if text[0] == text[-1]:
        return len(text) > 1 and text[0] not in text[1:-1]
    depth = 0
    for position, character in enumerate(text):
        depth += (character == text[0]) - (character == text[-1])
        if depth == 0:
            return position == len(text) - 1
    return False


def _side_by_side(children: Iterable[etree._Element]) -> str:
    """Parts in a row: a sign stands at its number, fractions and indices apart from what is beside them."""
    line, last, is_apart = "", "", False
    for child in children:
        text, shape = _child_text(child), _shape(child, -1)
        before, after = line[-1:], text[:1]
        if text.strip() in _SIGNS and _begins_operand(line):
            text = text.strip()
        elif before in _ENDS and after.isalnum():
            if after.isdigit() and last in _OPEN_ENDED:
                text = f" {text}"
        elif before.isalnum() and after.isalnum():
            two_numbers = is_apart and before.isdigit() and after.isdigit()
            if two_numbers or last in _OPEN_ENDED or _shape(child, 0) == "mfrac":
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
    """An index in parentheses, unless it is letters and digits: x_ij, x_(i + 1)."""
    return text if len(text) <= 1 or _ONE_PART.fullmatch(text) or _is_enclosed(text) else f"({text})"


def _power(part: _Part) -> str:
    """A power; in parentheses if it is a product with a number: 2^(2n)."""
    text = part.text.strip()
    is_product = not part.is_one and _DIGIT.search(text) and not _NUMBER.fullmatch(text.lstrip("+-−"))
    return f"({text})" if is_product and not _is_enclosed(text) else _grouped(part.text)


def _factor(part: _Part) -> str:
    """What a root or a fraction bar stands over: √x, √(2x), 1/(2x)."""
    text = part.text.strip()
    return text if part.is_one or _DIFFERENTIAL.fullmatch(text) else f"({text})"


def _base(part: _Part, above: _Part) -> str:
    """What an index or a power stands at; in parentheses if it has several parts: (a + b)^2, (2x)^2."""
    text = part.text.strip()
    if part.is_one or not text:
        return text
    is_several = text[0].isalnum() and (" " in text or "/" in text)
    if above.text.strip() and not _WITH_INDEX.fullmatch(text):
        is_several = is_several or text[0].isalnum() or text[0] in _BEFORE_FACTORS
    return f"({text})" if is_several else text


def _scripts(below: _Part, above: _Part) -> str:
    """The index and the power of a base; one that holds only a space or nothing is not written."""
    index = f"_{_grouped(below.text)}" if below.text.strip() else ""
    return index + (f"^{_power(above)}" if above.text.strip() else "")


def _index(base: _Part, below: _Part, above: _Part) -> str:
    return _base(base, above) + _scripts(below, above)


def _multiscripts(children: Sequence[etree._Element]) -> str:
    """A base with pairs of index and power, those behind `mprescripts` in front of it: 18F, ^18_9 F."""
    names = [local_name(child) for child in children]
    cut = names.index("mprescripts") if "mprescripts" in names else len(names)
    behind, front = ([_part(child) for child in part] for part in (children[1:cut], children[cut + 1 :]))
    has_power = any(part.text.strip() for part in behind[1::2])
    line = _base(_part(children[0]), _Part("1" if has_power else "", is_one=True))
    for below, above in zip_longest(behind[::2], behind[1::2], fillvalue=_NOTHING):
        line += _scripts(below, above)
    for below, above in zip_longest(front[::2], front[1::2], fillvalue=_NOTHING):
        line = (
            f"{_scripts(_NOTHING, above)}{_scripts(below, _NOTHING)} {line}"
            if below.text.strip()
            else f"{above.text.strip()}{line}"
        )
    return line


def _root(children: Sequence[etree._Element]) -> str:
    text = _side_by_side(children).strip()
    return f"√{_factor(_part(children[0]) if len(children) == 1 else _Part(text, _is_enclosed(text)))}"


def _fraction(parts: list[_Part]) -> str:
    """A fraction; a product above the bar needs no parentheses: 2x/(3y)."""
    above, below = parts[:2]
    return f"{_grouped(above.text)}/{_factor(below)}"


def _accent(parts: list[_Part]) -> str:
    """A letter or a row with a sign above it: x̄."""
    return f"{parts[0].text}{parts[1].text.strip()}"


_NOTHING = _Part("", is_one=True)
_WRITERS: dict[str, Callable[[Sequence[etree._Element]], str]] = {
    "mmultiscripts": _multiscripts,
    "msqrt": _root,
}
_SPACED = frozenset("=<>≤≥≈≠~∼∝→+−±×∈∑∏|") | {"<=", ">="}
_SHAPES: dict[str, Callable[[list[_Part]], str]] = {
    "msub": lambda part: _index(part[0], part[1], _NOTHING),
    "msup": lambda part: _index(part[0], _NOTHING, part[1]),
    "msubsup": lambda part: _index(part[0], part[1], part[2]),
    "munder": lambda part: _index(part[0], part[1], _NOTHING),
    "mover": _accent,
    "munderover": lambda part: _index(part[0], part[1], part[2]),
    "mfrac": _fraction,
    "mroot": lambda part: f"{_base(part[0], part[1])}^(1/{_factor(part[1])})",
    "mtable": lambda parts: "; ".join(part.text for part in parts),
    "mtr": lambda parts: " ".join(part.text for part in parts),
}
_ARITY = {"msubsup": 3, "munderover": 3, "mtable": 1, "mtr": 1}
