"""Formulas as one line of text: MathML linearised, so that a formula can be read, embedded and found.

Comes in: a MathML element. Leaves: text such as 'x_i^2' or '(a + b)/(2)'. Elements without a linear form
(spaces, layout) are left out.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from orchestration.parsing.xml import entity_text, local_name

_INVISIBLE_OPERATORS = str.maketrans("", "", "\u2061\u2062\u2063\u2064")


def formula_text(element: etree._Element) -> str:
    """The formula in one line; the caller normalises white space."""
    name = local_name(element)
    if name in ("annotation", "annotation-xml", "mspace", "mphantom"):
        return ""
    children = list(element)
    if not children:
        return (element.text or "").translate(_INVISIBLE_OPERATORS)
    write = _SHAPES.get(name)
    parts = [_child_text(child) for child in children]
    if write is not None and len(parts) >= _ARITY[name]:
        return write(parts)
    if name == "mfenced":
        return f"{element.get('open', '(')}{', '.join(parts)}{element.get('close', ')')}"
    return (element.text or "").strip() + "".join(parts)


def _child_text(child: etree._Element) -> str:
    if child.tag is etree.Entity:
        return entity_text(str(child.name)) + (child.tail or "").strip()  # type: ignore[attr-defined]
    text = formula_text(child)
    if local_name(child) == "mo" and text.strip() in _SPACED:
        return f" {text.strip()} "
    return text


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


_SPACED = frozenset("=<>≤≥≈≠~∼∝→+−±×∈∑∏|") | {"<=", ">="}
_SHAPES: dict[str, Callable[[list[str]], str]] = {
    "msub": lambda part: f"{part[0]}_{_grouped(part[1])}",
    "msup": lambda part: f"{part[0]}^{_grouped(part[1])}",
    "msubsup": lambda part: f"{part[0]}_{_grouped(part[1])}^{_grouped(part[2])}",
    "munder": lambda part: f"{part[0]}_{_grouped(part[1])}",
    "mover": lambda part: f"{part[0]}{part[1]}",
    "munderover": lambda part: f"{part[0]}_{_grouped(part[1])}^{_grouped(part[2])}",
    "mfrac": lambda part: f"{_grouped(part[0])}/{_grouped(part[1])}",
    "msqrt": lambda part: f"√{_grouped(''.join(part))}",
    "mroot": lambda part: f"{_grouped(part[0])}^(1/{part[1]})",
    "mtable": "; ".join,
    "mtr": " ".join,
}
_ARITY = {name: 3 if name in ("msubsup", "munderover") else 2 for name in _SHAPES} | {
    "msqrt": 1,
    "mtable": 1,
    "mtr": 1,
}
