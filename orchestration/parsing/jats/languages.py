"""The languages of a JATS article, and its titles in other languages.

Comes in: the article. Leaves: metadata; abstracts in other languages are sections of the text.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from orchestration.parsing.jats.titles import joined_titles, title_text
from orchestration.parsing.text_builder import one_line

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def language_of(element: etree._Element) -> str:
    """The language tag of an element, '' if it states none: 'pt-br' in lower case."""
    return one_line(element.get(_LANGUAGE) or "").lower()


def language_metadata(root: etree._Element, meta: etree._Element) -> dict[str, Any]:
    """`abstract_languages`, `translated_titles` by language, and the languages of whole translations."""
    abstracts = [
        language_of(abstract) or (language_of(root) or "en")
        for abstract in meta.iterchildren("{*}abstract", "{*}trans-abstract")
    ]
    titles: dict[str, str] = {}
    for group in meta.iterfind("{*}title-group/{*}trans-title-group"):
        _add_title(titles, group, language_of(group))
    for group in meta.iterchildren("{*}title-group"):
        _add_title(titles, group, "")
    translations = [
        language_of(inner)
        for inner in root.iterchildren("{*}sub-article")
        if inner.get("article-type") == "translation"
    ]
    return {
        "abstract_languages": list(dict.fromkeys(abstracts)),
        "translated_titles": titles,
        "translations": list(dict.fromkeys(translations)),
    }


def _add_title(titles: dict[str, str], group: etree._Element, language: str) -> None:
    for part in group.iterchildren("{*}trans-title", "{*}trans-subtitle"):
        key = language_of(part) or language or "und"
        titles[key] = joined_titles((titles.get(key, ""), title_text(part)))
