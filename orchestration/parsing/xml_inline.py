"""The running text of JATS and PubMed elements: the contents of a paragraph, a title or a cell.

Comes in: an element. Leaves: its text in reading order, with formulas, entities, sub- and superscripts
written so that they can be read in one line. White space is normalised later, by the text builder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from orchestration.parsing.mathml import formula_text
from orchestration.parsing.xml import entity_text, local_name

_LEFT_OUT = frozenset(
    {
        "graphic",
        "inline-graphic",
        "inline-supplementary-material",
        "object-id",
        "alt-text",
        "long-desc",
        "permissions",
        "attrib",
        "index-term",
        "ref-list",
        "label",
        "target",
        "milestone-start",
        "milestone-end",
        "private-char",
    }
)
_SEPARATED = frozenset({"break", "p", "title", "list", "list-item", "def", "disp-quote", "sec", "td", "th"})
_FORMULA = "[formula]"
_LATEX_WRAPPING = re.compile(
    r"\\(?:documentclass|usepackage|setlength|begin|end)(?:\[[^\]]*\])?\{[^}]*\}(?:\{[^}]*\})?"
)


def inline_text(element: etree._Element) -> str:
    """The text inside `element`."""
    parts: list[str] = []
    _collect(element, parts)
    return "".join(parts)


def node_text(node: etree._Element) -> str:
    """The text of one inline child, without its tail: an element or an entity that was not resolved."""
    parts: list[str] = []
    append_node(node, parts)
    return "".join(parts)


def _collect(element: etree._Element, parts: list[str]) -> None:
    if element.text:
        parts.append(element.text)
    for child in element:
        append_node(child, parts)
        if child.tail:
            parts.append(child.tail)


def append_node(node: etree._Element, parts: list[str]) -> None:
    """Append the text of one inline child, without its tail; `parts` is the text before it."""
    if node.tag is etree.Entity:
        parts.append(entity_text(str(node.name)))  # type: ignore[attr-defined]
        return
    name = local_name(node)
    if name in ("sub", "sup"):
        _collect_script(node, name, parts)
    elif name in ("inline-formula", "disp-formula", "chem-struct", "math", "tex-math", "alternatives"):
        parts.append(_formula(node, name))
    elif name == "xref" and node.get("ref-type") == "fn" and not _is_word(node):
        return
    elif name == "fn":
        parts.append(f" ({inline_text(node).strip()})")
    elif name in _LEFT_OUT or not name:
        return
    else:
        if name in _SEPARATED:
            parts.append(" ")
        _collect(node, parts)
        if name in _SEPARATED:
            parts.append(" ")


def _is_word(node: etree._Element) -> bool:
    """Whether the footnote mark is a word ('Table 1 note a') rather than '*' or '†'."""
    return any(character.isalnum() for character in inline_text(node))


def _collect_script(node: etree._Element, name: str, parts: list[str]) -> None:
    """10<sup>-3</sup> as 10^-3, m<sup>2</sup> as m2; a citation set high as [1,2]; x<sub>i</sub> as xi."""
    text = inline_text(node)
    before = parts[-1] if parts else ""
    if "\n" in before and before != before.rstrip():
        before = parts[-1] = before.rstrip()  # a pretty printer's line break, not the author's blank
    if name == "sup" and any(local_name(child) == "xref" for child in node):
        text = text if text.strip().startswith(("[", "(")) else f"[{text.strip()}]"
    elif name == "sup" and before[-1:].isdigit() and re.match(r"[-−–+]?\d", text.strip()):
        text = f"^{text.strip()}"
    parts.append(text)


def _formula(node: etree._Element, name: str) -> str:
    if name == "math":
        return f" {formula_text(node)} " if node.get("display") == "block" else formula_text(node)
    if name == "tex-math":
        return " ".join(_LATEX_WRAPPING.sub(" ", node.text or "").replace("$$", " ").split())
    for wanted in ("math", "tex-math"):
        for alternative in node.iter(f"{{*}}{wanted}"):
            text = _formula(alternative, wanted)
            return f" {text} " if name == "disp-formula" else text
    text = " ".join("".join(_formula_words(node)).split())
    if text:
        return text
    return f" {_FORMULA} " if name != "alternatives" else ""


def _formula_words(node: etree._Element) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        if local_name(child) not in _LEFT_OUT:
            yield node_text(child)
        yield child.tail or ""
