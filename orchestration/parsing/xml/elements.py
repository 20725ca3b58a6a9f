"""The elements of JATS by what a reader sees of them.

Every element that is not named here keeps its text: inline where it stands in a sentence, as a separate block
otherwise. What is left out is listed with its reason; tests hold documents to this list. Elements:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/chapter/elements.html (read 2026-11-30).
"""

from __future__ import annotations

from typing import Final

LEFT_OUT: Final = {
    "alt-text": "a short description of a picture, mostly its label again",
    "annotation": "a formula in another notation",
    "annotation-xml": "a formula in another notation",
    "glyph-data": "the picture of a character",
    "glyph-ref": "the picture of a character",
    "index-term": "an entry of a printed index, not printed here",
    "index-term-range-end": "the same",
    "milestone-end": "a position",
    "milestone-start": "a position",
    "mphantom": "invisible in a formula",
    "object-id": "an identifier of a part",
    "permissions": "the licence of a part; the article's is metadata",
    "processing-meta": "how the file was made",
    "ref": "goes to the references",
    "sec-meta": "metadata of a section",
}
"""Elements whose text is not in a document's text, with the reason."""

ALTERNATIVES: Final = ("math", "tex-math", "table", "array", "code", "preformat", "textual-form")
"""Of `alternatives`, the first of these that is there is read; pictures, then any other form, come last."""

INLINE: Final = frozenset(
    {"bold", "break", "chem-struct", "date-in-citation", "email", "ext-link", "fixed-case",
     "inline-formula", "inline-graphic", "institution", "italic", "xref", "math", "mml", "monospace",
     "num", "overline", "price", "roman", "ruby", "sans-serif", "sc", "strike", "sub", "sup",
     "tex-math", "underline", "uri", "year"}
)  # fmt: skip
"""Elements of a sentence; nothing in them is looked at as a block."""

SEPARATED: Final = frozenset(
    {"answer", "attrib", "boxed-text", "break", "caption", "code", "def", "def-head", "def-item",
     "def-list", "disp-formula", "disp-quote", "entry", "hr", "explanation", "fig", "fn-group",
     "label", "list", "list-item", "long-desc", "p", "preformat", "question", "row", "sec", "speaker",
     "speech", "statement", "supplementary-material", "table", "table-wrap", "td", "term", "term-head",
     "th", "title", "tr", "verse-group", "verse-line"}
)  # fmt: skip
"""Elements that are separate lines in print: in a cell or a note, blanks stand around them."""

STRUCTURED: Final = frozenset(
    {"address", "aff", "answer-set", "array", "award-group", "citation", "compound-kwd", "contrib",
     "contrib-group", "date", "date-in-citation", "element-citation", "institution-wrap", "name",
     "name-alternatives", "nlm-citation", "person-group", "pub-date", "string-date", "string-name",
     "table", "tbody", "tfoot", "thead"}
)  # fmt: skip
"""Elements whose parts have nothing between them in the record; blanks stand between these."""

MARK_TYPES: Final = frozenset({"aff", "author-notes", "bibr", "corresp", "fn", "table-fn"})
"""Values of `ref-type` of an xref that is a mark; others are words of the sentence ('Figure 2')."""

WORD_TYPES: Final = frozenset(
    {"app", "award", "bio", "boxed-text", "chem", "contrib", "disp-formula", "fig", "kwd", "list",
     "other-alternative", "plate", "question", "scheme", "sec", "statement", "supplementary-material",
     "table", "video"}
)  # fmt: skip

TYPE_ONLY: Final = frozenset(
    {"b", "bold", "em", "fixed-case", "i", "italic", "monospace", "overline", "overline-end",
     "overline-start", "roman", "sans-serif", "sc", "strike", "strong", "styled-content", "target", "u",
     "underline", "underline-end", "underline-start"}
)  # fmt: skip
"""Elements that change only the type or set an anchor; a number may be partly inside. Others end a number."""
