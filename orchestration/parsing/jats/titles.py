"""The titles of a JATS article and of the articles inside it.

Comes in: the article, or the elements of a title. Leaves: titles as they are cited: without the marks and
texts of their footnotes, escaped tags read as tags, subtitles after a colon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.markup import plain_text
from orchestration.parsing.xml.trees import first_child, local_name

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


def inner_title(inner: etree._Element) -> str:
    """The title of an article inside another, '' if it has none."""
    return article_title(inner, "{*}front-stub/{*}title-group") or article_title(inner)


def inner_headings(root: etree._Element) -> dict[etree._Element, str]:
    """The headings of the articles inside an article: their titles, else their types as words.

    Of several with one heading the later ones are numbered: 'Reply', 'Reply (2)'.
    """
    headings: dict[etree._Element, str] = {}
    count: Counter[str] = Counter()
    for inner in root.iterdescendants("{*}sub-article", "{*}response"):
        heading = inner_title(inner) or inner_kind(inner).replace("-", " ").capitalize()
        count[heading] += 1
        headings[inner] = numbered(heading, count[heading])
    return headings


def inner_kind(inner: etree._Element) -> str:
    """What an article inside another is: 'reply', 'translation', 'decision-letter'."""
    return inner.get("article-type") or inner.get("response-type") or local_name(inner)


def numbered(heading: str, number: int) -> str:
    """A heading that was there before with its number: 'Reply (2)'."""
    return heading if number < 2 else f"{heading} ({number})"


def part_heading(part: etree._Element) -> str:
    """The label and title of a part as its section has them, 'Box 1. Key' where its caption has the title."""
    caption = first_child(part, "caption")
    own = first_child(part, "title")
    title = own if own is not None or caption is None else first_child(caption, "title")
    words = [
        one_line(inline_text(place)) for place in (first_child(part, "label"), title) if place is not None
    ]
    return (" " if title is own else ". ").join(filter(None, words))


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
