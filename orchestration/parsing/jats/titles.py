"""The titles of a JATS article and of the articles inside it.

Comes in: the article, or the elements of a title. Leaves: titles as they are cited: without the marks and
texts of their footnotes, escaped tags read as tags, subtitles after a colon.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.markup import plain_text

_ENDS = (":", "?", "!", ".", "—", "–")
"""Signs at the end of a title after which a subtitle needs no colon."""


def article_title(root: etree._Element, path: str = "{*}front/{*}article-meta/{*}title-group") -> str:
    """Title and subtitles, 'Title: subtitle', else a translated title; '' if there is none."""
    group = root.find(path)
    if group is None:
        return ""
    title = joined_titles(
        map(title_text, [*group.findall("{*}article-title"), *group.findall("{*}subtitle")])
    )
    translated = group.findall("{*}trans-title-group/{*}trans-title") + group.findall("{*}trans-title")
    return title or joined_titles(map(title_text, translated))


def title_text(title: etree._Element) -> str:
    """One title or subtitle."""
    text = one_line(inline_text(title, with_marks=False))
    return plain_text(text) if "<" in text else text


def joined_titles(titles: Iterable[str]) -> str:
    """A title and its subtitles, 'Title: subtitle' or 'Title? Subtitle'; empty ones are left out."""
    joined = ""
    for title in filter(None, titles):
        joint = " " if joined.endswith(_ENDS) else ": "
        joined = f"{joined}{joint}{title}" if joined else title
    return joined
