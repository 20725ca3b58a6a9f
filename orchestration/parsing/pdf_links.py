"""Links to PDFs from records, as addresses to try.

Comes in: addresses in order of preference with the licence of each copy. Leaves: PdfLinks without duplicates;
what is no web address (a bare file name, another scheme) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from orchestration.contracts.downloads import PdfLink
from orchestration.parsing.text_builder import one_line


def places_to_try(addresses: Iterable[tuple[str, str | None]]) -> tuple[PdfLink, ...]:
    """One link per (address, licence) with an http or https address; of duplicates the first is kept."""
    once: dict[str, PdfLink] = {}
    for address, licence in addresses:
        url = address.strip()
        if is_web_address(url):
            once.setdefault(url, PdfLink(url=url, licence=one_line(licence or "") or None))
    return tuple(once.values())


def is_web_address(address: str) -> bool:
    """Whether it is an absolute http or https URL with a host."""
    try:
        parts = urlsplit(address)
        return parts.scheme.casefold() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def names_a_pdf(address: str) -> bool:
    """Whether the path of a web address ends in .pdf."""
    return is_web_address(address) and urlsplit(address).path.casefold().endswith(".pdf")
