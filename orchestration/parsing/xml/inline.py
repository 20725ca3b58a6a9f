"""The running text of JATS and PubMed elements: the contents of a paragraph, a title or a cell.

Comes in: an element. Leaves: its text in reading order, with formulas, entities, marks, sub- and superscripts
written so that they can be read in one line. White space is normalised later, by the text builder.
"""

from __future__ import annotations

import re
import unicodedata

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.elements import (
    ALTERNATIVES,
    LEFT_OUT,
    MARK_TYPES,
    SEPARATED,
    STRUCTURED,
    TYPE_ONLY,
    WORD_TYPES,
)
from orchestration.parsing.xml.inline_runs import Level, Piece, marks_alone, script_before_mark
from orchestration.parsing.xml.inline_scripts import written
from orchestration.parsing.xml.mathml import formula_text
from orchestration.parsing.xml.trees import entity_text, first_child, local_name

_FORMULAS = frozenset({"inline-formula", "disp-formula", "chem-struct", "math", "tex-math", "alternatives"})
_FORMULA = "[formula]"
_LATEX_WRAPPING = re.compile(
    r"\\(?:documentclass|usepackage|setlength|begin|end)"
    r"(?:\[[^\]]{0,200}\])?\{[^}]{0,200}\}(?:\{[^}]{0,200}\})?"
)
_ESCAPED = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,30}));")
_LABELLED = (
    r"(?:tab(?:le|leau|elle|la)?s?|fig(?:ure|ura)?s?|abb(?:ildung)?(?:en)?|sect(?:ion)?s?|box(?:es)?|"
    r"schemes?|append(?:ix|ices)|eq(?:uation|n)?s?|videos?|movies?|plates?|charts?)"
)
_LABELLED_APART = (
    r"(?:files?|notes?|data(?:sets?)?|texts?|materials?|methods?|information|panels?|questions?|"
    r"statements?|suppl?(?:ement(?:ary|al|s)?)?|supporting)"
)
_BEFORE_LABEL = re.compile(
    rf"\b(?:{_LABELLED}\.?\s*|{_LABELLED_APART}\.?\s+)"
    r"(?:\(?\s*S?\d+[A-Za-z]?\s*(?:[,;&/‐–—−-]|and|or|to)\s*)*\Z",
    re.IGNORECASE,
)

_LIGATURE = re.compile("[\ufb00-\ufb06]")


def inline_text(
    element: etree._Element, *, with_marks: bool = True, note_marks: frozenset[str] = frozenset()
) -> str:
    """The text inside `element`; for the options see `InlineText`."""
    if not len(element):
        return _as_read(element.text or "")
    line = InlineText(with_marks=with_marks, note_marks=note_marks)
    line.add_contents(element)
    return line.text()


def node_text(node: etree._Element, note_marks: frozenset[str] = frozenset()) -> str:
    """The text of one inline child, without its tail: an element or an entity that was not resolved."""
    line = InlineText(note_marks=note_marks)
    line.add(node)
    return line.text()


def child_text(element: etree._Element, name: str, note_marks: frozenset[str] = frozenset()) -> str:
    """The text of the first child of that name on one line, '' if there is none."""
    child = first_child(element, name)
    return one_line(inline_text(child, note_marks=note_marks)) if child is not None else ""


def resolved(text: str) -> str:
    """`text` with characters that were escaped twice (`&amp;alpha;`) as characters; others stay."""
    return _ESCAPED.sub(_character, text) if "&" in text else text


def _as_read(text: str) -> str:
    if "&" in text:
        text = resolved(text)
    return text if text.isascii() else _LIGATURE.sub(_letters, text)


def _letters(ligature: re.Match[str]) -> str:
    """The letters of a ligature that a typesetter left in the record: 'ffi'."""
    return unicodedata.normalize("NFKC", ligature.group())


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return entity_text(name)
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 31 < code < 0x110000 and not 0xD800 <= code < 0xE000 else match.group()


class InlineText:
    """Text that is collected from several inline nodes.

    `with_marks` false leaves out marks and footnotes, as a title is cited; `note_marks` are the labels of the
    footnotes of a table; `as_written` keeps characters that are escaped twice, as in code.
    """

    def __init__(
        self,
        text: str | None = None,
        *,
        with_marks: bool = True,
        note_marks: frozenset[str] = frozenset(),
        as_written: bool = False,
    ) -> None:
        self._texts: list[str] = []
        self._pieces: list[Piece] = []
        self._with_marks = with_marks
        self._note_marks = note_marks
        self._as_written = as_written
        self.add_text(text)

    def text(self) -> str:
        if not self._pieces:
            return self._as_read("".join(self._texts))
        return written(self._all_pieces(), self._note_marks, with_marks=self._with_marks)

    def last_character(self) -> str:
        """The last character so far, '' if there is none."""
        return self._texts[-1][-1] if self._texts else self._pieces[-1][1][-1:] if self._pieces else ""

    def add_text(self, text: str | None) -> None:
        """Append characters that stand on the line."""
        if text:
            self._texts.append(text)

    def _as_read(self, text: str) -> str:
        return text if self._as_written else _as_read(text)

    def _all_pieces(self) -> list[Piece]:
        if self._texts:
            self._pieces.append((Level.TEXT, self._as_read("".join(self._texts))))
            self._texts.clear()
        return self._pieces

    def _add_piece(self, level: Level, text: str) -> None:
        self._all_pieces().append((level, text))

    def add_contents(self, element: etree._Element) -> None:
        """Append all that is inside `element`."""
        texts = self._texts
        if element.text:
            texts.append(element.text)
        for child in element:
            self.add(child)
            tail = child.tail
            if tail:
                texts.append(tail)

    def add(self, node: etree._Element) -> None:
        """Append one inline child, without its tail."""
        tag = node.tag
        if not isinstance(tag, str):
            if tag is etree.Entity:
                self._texts.append(entity_text(str(node.name)))
            return
        name = tag.rpartition("}")[2] if tag.startswith("{") else tag
        if name == "xref":
            self._add_reference(node)
        elif name in ("sub", "sup"):
            self._add_script(node, name)
        elif name in _FORMULAS:
            self._add_formula(node, name)
        elif name == "fn":
            if self._with_marks:
                self.add_text(f" ({inline_text(node).strip()})")
        elif name in LEFT_OUT:
            return
        elif name in STRUCTURED:
            self._add_parts(node)
        elif name in SEPARATED:
            self.add_text(" ")
            self.add_contents(node)
            self.add_text(" ")
        elif name in TYPE_ONLY:
            self.add_contents(node)
        else:
            self._add_apart(node)

    def _add_apart(self, element: etree._Element) -> None:
        """Append the contents of an element; digits at its ends stay apart from the digits beside it.

        The reading of a word (ruby) stands in parentheses: '漢字(かんじ)'.
        """
        self._end_piece()
        has_parentheses = local_name(element) != "rt" or _has_parentheses(element)
        self.add_text("" if has_parentheses else "(")
        self.add_contents(element)
        self.add_text("" if has_parentheses else ")")
        self._end_piece()

    def _end_piece(self) -> None:
        """Keep what comes next apart from what is on the line, if both are digits; code stays as it is."""
        if not self._as_written:
            self._all_pieces()

    def _add_parts(self, element: etree._Element) -> None:
        """Append an element whose children have nothing between them, with blanks there."""
        self.add_text(element.text)
        for child in element:
            self.add(child)
            self.add_text(child.tail or " ")

    def _inside(self, element: etree._Element) -> InlineText:
        line = InlineText(as_written=self._as_written)
        line.add_contents(element)
        return line

    def _mark(self, element: etree._Element) -> str:
        return marks_alone(self._inside(element)._all_pieces()) if len(element) else element.text or ""

    def _add_reference(self, node: etree._Element) -> None:
        if not _is_mark(node):
            self._add_apart(node)
        elif node.get("ref-type") not in MARK_TYPES and self._expects_label():
            self._add_label(node)
        else:
            mark = self._mark(node)
            if not (mark.startswith("[") and mark.endswith("]")):
                self._add_piece(Level.HIGH_MARK if _is_high_mark(node) else Level.MARK, mark)
            elif self._with_marks:
                self.add_text(mark)

    def _add_script(self, node: etree._Element, name: str) -> None:
        if name == "sub":
            self._add_piece(Level.LOW, self._inside(node).text())
            return
        references = list(node.iter("{*}xref"))
        if not references:
            self._add_piece(Level.HIGH, self._inside(node).text())
        elif MARK_TYPES.isdisjoint(xref.get("ref-type", "") for xref in references) and self._expects_label():
            self._add_label(node)
        else:
            self._add_marks(node)

    def _expects_label(self) -> bool:
        """Whether the line ends with 'Table', 'Figs 1,' or such, so that a number set high is its label."""
        line = "".join([*(text for _, text in self._pieces[-8:]), *self._texts])
        return _BEFORE_LABEL.search(line[-80:]) is not None

    def _add_label(self, node: etree._Element) -> None:
        self.add_text(" " if self.last_character().isalpha() else "")
        self._end_piece()
        self.add_text(self._inside(node).text().strip())
        self._end_piece()

    def _add_marks(self, node: etree._Element) -> None:
        """Append a superscript with marks; a power or charge before them is none: 10<sup>6 <xref/></sup>."""
        base = next(iter(self._all_pieces()[-1:]), (Level.TEXT, ""))
        pieces = self._inside(node)._all_pieces()
        if base[0] in (Level.TEXT, Level.LOW) and pieces[:1] and pieces[0][0] is Level.TEXT:
            script = script_before_mark(base, pieces[0][1])
            if script is not None:
                power, separator, bracket = script
                self._add_piece(Level.HIGH, power)
                self.add_text(separator)
                pieces[0] = (Level.TEXT, bracket)
        self._add_piece(Level.HIGH_MARK, marks_alone(pieces))

    def _add_formula(self, node: etree._Element, name: str) -> None:
        text = _formula(node, name)
        blank = " " if text == _FORMULA and self.last_character().isalnum() else ""
        self.add_text(blank)
        self._end_piece()
        self.add_text(text)
        self._end_piece()


def _has_parentheses(reading: etree._Element) -> bool:
    """Whether the record has the parentheses around the reading of a word as text."""
    around = next(reading.iterancestors("{*}ruby"), None)
    return around is not None and next(around.iter("{*}rp"), None) is not None


def _is_mark(xref: etree._Element) -> bool:
    """Whether an xref is a mark, by its type, else by its looks: set high, or a sign without letters."""
    kind = xref.get("ref-type")
    if kind in MARK_TYPES:
        return True
    first = next(iter(xref), None)
    set_high = not (xref.text or "").strip() and first is not None and local_name(first) == "sup"
    if kind in WORD_TYPES:
        return set_high
    text = inline_text(xref).strip()
    return set_high or (len(text) < 4 and text.isdecimal())


def _is_high_mark(xref: etree._Element) -> bool:
    """Whether a mark is set high or names a footnote, so that brackets around it are not its own."""
    first = next(iter(xref), None)
    set_high = not (xref.text or "").strip() and first is not None and local_name(first) == "sup"
    return set_high or xref.get("ref-type") in ("fn", "table-fn")


def _formula(node: etree._Element, name: str) -> str:
    """A formula in its first readable notation, with the number that stands beside a displayed one."""
    if name == "math":
        return f" {formula_text(node)} " if node.get("display") == "block" else formula_text(node)
    if name == "tex-math":
        return " ".join(_LATEX_WRAPPING.sub(" ", node.text or "").replace("$$", " ").split())
    if name == "alternatives":
        form = best_form(node)
        return node_text(form) if form is not None else ""
    text = " ".join(_formula_words(node).split()) or _FORMULA
    if name != "disp-formula":
        return text
    number = child_text(node, "label")
    return f" {text} {number} "


def best_form(alternatives: etree._Element) -> etree._Element | None:
    """The form of `alternatives` that reads best as text; None if all are pictures without words."""
    for wanted in ALTERNATIVES:
        form = first_child(alternatives, wanted)
        if form is not None:
            return form
    return next((form for form in alternatives if inline_text(form).strip()), None)


def _formula_words(node: etree._Element) -> str:
    """All that stands in a formula but its number; LaTeX only where there is no MathML beside it."""
    left_out = {"label", "tex-math"} if first_child(node, "math") is not None else {"label"}
    line = InlineText(node.text)
    for child in node:
        if local_name(child) not in left_out:
            line.add(child)
        line.add_text(child.tail)
    return line.text()
