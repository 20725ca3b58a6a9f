"""Random JATS: bodies and back matter whose elements nest as the archiving DTD lets them, and deeper."""

from __future__ import annotations

from hypothesis import strategies as st

_INLINE = [
    "italic", "bold", "sup", "sub", "xref:bibr", "xref:fn", "xref:table-fn", "xref:fig", "ext-link",
    "named-content", "styled-content", "abbrev", "inline-formula", "inline-supplementary-material",
    "fn", "break", "target", "email", "odd-inline"
]  # fmt: skip
_BLOCKS = [
    "p", "p", "p", "list", "list", "def-list", "table-wrap", "table-wrap", "fig", "fig-group",
    "boxed-text", "disp-quote", "disp-formula", "code", "preformat", "verse-group", "speech",
    "statement", "supplementary-material", "media", "fn-group", "question-wrap", "chem-struct-wrap",
    "disp-formula-group", "table-wrap-group", "sig-block", "odd-block", "alternatives"
]  # fmt: skip
_SECTIONS = [
    "sec", "app-group", "ack", "notes", "bio", "glossary", "boxed-text", "fn-group", "ref-list"
]  # fmt: skip
_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # element: (children that come first, each perhaps; children of the rest, any number)
    "sec": (("label", "title"), ("block", "block", "section")),
    "app-group": (("title",), ("app",)),
    "app": (("label", "title"), ("block", "section")),
    "ack": (("title",), ("block",)),
    "notes": (("title",), ("block", "section")),
    "bio": (("title",), ("block",)),
    "glossary": (("label", "title"), ("def-list", "p", "glossary")),
    "boxed-text": (("label", "caption"), ("block", "sec")),
    "disp-quote": (("label", "title"), ("block", "attrib")),
    "odd-block": (("label",), ("block", "odd-inline")),
    "statement": (("label", "title"), ("block",)),
    "fn-group": (("title",), ("fn",)),
    "fn": (("label",), ("p",)),
    "list": (("title",), ("list-item",)),
    "list-item": (("label", "title"), ("block", "p", "list")),
    "def-list": (("title", "term-head", "def-head"), ("def-item", "def-list")),
    "def-item": (("term",), ("def",)),
    "def": ((), ("p", "block")),
    "fig": (("label", "caption"), ("graphic", "p", "code", "attrib", "table-wrap")),
    "fig-group": (("label", "caption"), ("fig",)),
    "graphic": (("label", "caption", "long-desc"), ()),
    "media": (("label", "caption"), ("p",)),
    "supplementary-material": (("label", "caption"), ("p", "media", "block")),
    "table-wrap-group": (("label", "caption"), ("table-wrap",)),
    "table-wrap": (
        ("label", "caption"),
        ("table", "table", "list", "graphic", "attrib", "table-wrap-foot", "alternatives", "caption"),
    ),
    "table-wrap-foot": ((), ("fn", "p", "fn-group", "attrib")),
    "table": (("thead", "tfoot"), ("tbody", "tr")),
    "thead": ((), ("tr",)),
    "tbody": ((), ("tr",)),
    "tfoot": ((), ("tr",)),
    "tr": ((), ("td", "th")),
    "verse-group": (("title",), ("verse-line", "verse-group", "attrib")),
    "speech": (("speaker",), ("p",)),
    "question-wrap": ((), ("question", "answer")),
    "question": (("label",), ("p", "option")),
    "option": (("label",), ("p",)),
    "answer": (("label",), ("p",)),
    "chem-struct-wrap": (("label", "caption"), ("chem-struct",)),
    "disp-formula-group": (("label", "caption"), ("disp-formula",)),
    "sig-block": ((), ("sig",)),
    "alternatives": ((), ("table", "graphic", "code")),
    "caption": (("title",), ("p",)),
    "ref-list": (("title",), ("p", "ref")),
    "ref": (("label",), ("mixed-citation", "element-citation", "note")),
    "element-citation": (
        ("label", "person-group", "person-group:editor", "article-title", "source", "edition", "year"),
        (
            "comment",
            "month",
            "day",
            "volume",
            "issue",
            "supplement",
            "fpage",
            "size",
            "series",
            "isbn",
            "date",
            "conf-name",
            "name",
            "string-name",
            "collab",
            "trans-title",
            "patent",
            "elocation-id",
        ),
    ),
    "date": ((), ("day", "month", "year")),
    "conf-name": ((), ("institution", "addr-line")),
    "person-group": ((), ("name", "string-name", "collab")),
    "name": (("surname", "given-names", "prefix", "suffix"), ()),
    "string-name": (("surname", "given-names"), ()),
    "collab": ((), ("institution", "institution", "contrib-group")),
    "contrib-group": (
        (),
        ("contrib:author", "contrib:editor", "contrib:reviewer", "contrib", "on-behalf-of"),
    ),
    "contrib": ((), ("name", "string-name", "collab", "on-behalf-of")),
    "funding-group": ((), ("award-group", "award-group", "funding-statement")),
    "award-group": ((), ("funding-source", "award-id", "principal-award-recipient")),
    "funding-source": ((), ("institution", "institution-wrap", "country")),
    "institution-wrap": ((), ("institution", "institution-id")),
    "principal-award-recipient": ((), ("name", "institution")),
    "author-notes": ((), ("fn:conflict",)),
    "note": (("label",), ("p",)),
}
_KINDS = {"contrib": "contrib-type", "fn": "fn-type", "person-group": "person-group-type"}
_MIXED = frozenset({"td", "th", "p", "mixed-citation"})


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """The contents of a body or back: blocks and sections."""
    return "".join(draw(element(draw(_kind("section", 3)), 3)) for _ in range(draw(st.integers(1, 4))))


@st.composite
def fronts(draw: st.DrawFn) -> str:
    """Contributors, declarations, funding and related articles of an article."""
    parts = st.sampled_from(
        ["contrib-group", "contrib-group", "author-notes", "funding-group", "related-article"]
    )
    return "".join(draw(element(part, 4)) for part in draw(st.lists(parts, max_size=4)))


@st.composite
def articles_inside(draw: st.DrawFn, depth: int = 2) -> str:
    """Sub-articles and responses with front and back matter, and with others inside."""
    texts = []
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(["sub-article", "response"]))
        front = f"<front-stub>{draw(fronts())}</front-stub>"
        body, back = draw(bodies()), draw(element("ref-list", 3))
        more = draw(articles_inside(depth - 1)) if depth > 1 and name == "sub-article" else ""
        texts.append(f"<{name}>{front}<body>{body}</body><back>{back}</back>{more}</{name}>")
    return "".join(texts)


@st.composite
def element(draw: st.DrawFn, name: str, depth: int) -> str:
    """One element of that name; below `depth` levels only words."""
    name, _, kind = name.partition(":")
    attributes = f' {_KINDS.get(name, "ref-type")}="{kind}"' if kind else ""
    if name in ("td", "th"):
        attributes += draw(st.sampled_from(["", "", ' colspan="2"', ' rowspan="2"']))
    return f"<{name}{attributes}>{draw(_contents(name, depth))}</{name}>"


@st.composite
def _contents(draw: st.DrawFn, name: str, depth: int) -> str:
    if name in ("break", "graphic") and depth < 1:
        return ""
    if name in _PARTS:
        first, rest = _PARTS[name]
        parts = [part for part in first if draw(st.booleans())]
        if rest:
            parts += draw(st.lists(st.sampled_from(rest), max_size=3 if depth > 0 else 1))
        return "".join(draw(element(draw(_kind(part, depth)), depth - 1)) for part in parts)
    words = [draw(_WORDS)]
    if depth > -2:
        for _ in range(draw(st.integers(0, 2))):
            inner = draw(st.sampled_from(_BLOCKS if name in _MIXED and depth > 0 else _INLINE))
            if name != "break":
                words.append(draw(element(inner, depth - 2)))
            words.append(draw(_WORDS))
    return "".join(words) if name != "break" else ""


_WORDS = st.sampled_from(["", "kites ", "12", "rise", " of 30 ", ", ", ".", "–", "&lt;", "p53"])


def _kind(part: str, depth: int) -> st.SearchStrategy[str]:
    """The name of an element for a group of elements."""
    if part == "section":
        return st.sampled_from(_SECTIONS if depth > 0 else ("p",))
    if part == "block":
        return st.sampled_from(_BLOCKS if depth > 0 else ("p",))
    return st.just(part)
