"""The licence of a JATS article, and the address of its PDF.

Comes in: the article. Leaves: its licence as one of medkg's codes with the statement itself, and links to its
PDF. Licences stand in <permissions>
(https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/permissions.html) and, as PMC reads them, in its
custom metadata. PMC keeps the PDF of an open article in its cloud bucket as
PMC<id>.<version>/PMC<id>.<version>.pdf (https://pmc-oa-opendata.s3.amazonaws.com/README.txt, 2026); the file
that its <self-uri content-type="pmc-pdf"> names alone stands at no address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from orchestration.contracts.downloads import PdfLink
from orchestration.parsing.licences import NONE, is_redistributable, licence_of
from orchestration.parsing.pdf_links import is_web_address, names_a_pdf, places_to_try
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text

PMC_BUCKET: Final = "https://pmc-oa-opendata.s3.amazonaws.com"

_HREF = "{http://www.w3.org/1999/xlink}href"
_META = "{*}front/{*}article-meta/"
_STATEMENT_CHARS = 300
_VERSIONED = re.compile(r"PMC\d+\.\d+")


def licence_metadata(root: etree._Element) -> dict[str, Any]:
    """`licence` and `redistributable`, with the URL or sentence that states them."""
    statements = list(dict.fromkeys(_statements(root)))
    licence = licence_of("\n".join(statements))
    return {
        "licence": licence,
        "licence_statement": statements[0][:_STATEMENT_CHARS] if statements else None,
        "redistributable": is_redistributable(licence),
    }


def article_pdf_links(root: etree._Element) -> tuple[PdfLink, ...]:
    """Addresses of the article's own PDF; the publisher's first, no duplicates."""
    licence = licence_of("\n".join(_statements(root)))
    return places_to_try((url, None if licence == NONE else licence) for url in _pdf_urls(root))


def _statements(root: etree._Element) -> Iterator[str]:
    """Statements of the licence, URLs first; an article without one may state it in its copyright line."""
    metas = root.findall("{*}front/{*}article-meta")
    permissions = [node for meta in metas for node in meta.findall("{*}permissions")]
    licences = [node for place in (*permissions, *metas) for node in place.findall("{*}license")]
    urls = [node.text or "" for place in permissions for node in place.iterfind(".//{*}license_ref")]
    linked = [element.get(_HREF, "") for node in licences for element in node.iter("{*}*")]
    urls += [href for href in linked if is_web_address(href)]
    texts = [inline_text(node) for node in licences]
    texts += [node.get("license-type", "") for node in licences]
    if not licences:
        texts += _copyright_lines_with_a_licence([*permissions, *metas])
    said = [one_line(statement) for statement in (*urls, _pmc_property(root, "pmc-license-ref"), *texts)]
    yield from filter(None, said)


def _copyright_lines_with_a_licence(permissions: list[etree._Element]) -> Iterator[str]:
    """Copyright lines that name a licence; a copyright holder alone is no licence."""
    for place in permissions:
        for line in map(inline_text, place.iterfind("{*}copyright-statement")):
            if is_redistributable(licence_of(line)):
                yield line


def _pmc_property(root: etree._Element, name: str) -> str:
    """The value that PMC adds under `name`, '' if none."""
    for custom in root.iterfind(f"{_META}{{*}}custom-meta-group/{{*}}custom-meta"):
        key, value = custom.find("{*}meta-name"), custom.find("{*}meta-value")
        if key is not None and value is not None and one_line(inline_text(key)) == name:
            return one_line(inline_text(value))
    return ""


def _pdf_urls(root: etree._Element) -> Iterator[str]:
    has_pdf = _pmc_property(root, "pmc-prop-has-pdf") == "yes"
    for uri in root.iterfind(f"{_META}{{*}}self-uri"):
        address = one_line(uri.get(_HREF) or inline_text(uri))
        kind = (uri.get("content-type") or "").casefold()
        has_pdf = has_pdf or kind == "pmc-pdf"
        if "pdf" in kind or names_a_pdf(address):
            yield address
    for link in root.iterfind(f"{_META}{{*}}ext-link"):
        address = one_line(link.get(_HREF) or "")
        if names_a_pdf(address):
            yield address
    if has_pdf and _pmc_property(root, "pmc-prop-open-access") != "no":
        yield from _in_the_bucket(root)


def _in_the_bucket(root: etree._Element) -> Iterator[str]:
    for element in root.iterfind(f"{_META}{{*}}article-id[@pub-id-type='pmcid-ver']"):
        version = one_line(inline_text(element))
        if _VERSIONED.fullmatch(version):
            yield f"{PMC_BUCKET}/{version}/{version}.pdf"
