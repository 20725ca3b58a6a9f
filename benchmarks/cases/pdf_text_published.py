"""The text layer on published PDFs against the JATS of the same articles.

`python -m benchmarks.cases.pdf_text_published FOLDER` reads pairs NAME.pdf and NAME.xml, which this
repository does not hold, and writes benchmarks/results/pdf-text-published.json. Recall: of the words and
numbers in title, abstract, body and tables of the JATS those that are in the document, by how often they
occur. Invented: numbers of the document that occur nowhere in the JATS (journals print running lines and
dates that JATS lacks, so a few always remain). Citation marks count on neither side. Structure, compared with
our own reading of the JATS: headings (those within paragraphs count as missing), cells of tables that have a
digit, whole rows of them, and how many references there are.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lxml import etree

from orchestration.errors import EmptyDocumentError, MedkgError
from orchestration.parsing.jats.parser import JatsParser
from orchestration.pdf.text_layer.reading import NAME, VERSION, Limits, convert
from orchestration.records import Document, RawPayload, all_sections, content_version

from ..machine import hardware
from ..suite import RESULTS
from .pdf_text import NUMBER, document_of

__all__ = ["measured"]

WORD: Final = re.compile(r"[^\W\d_]{3,}")
DOUBLED: Final = re.compile(r"([^\W\d_])\1")
CITATION: Final = re.compile(r"\[\s*\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\s*\]")
PARTED: Final = re.compile(r"[-‐\u00ad]")
MARK: Final = re.compile(r"\[[^\]]{1,8}\]")
SAMPLES: Final = 12


@dataclass(frozen=True, slots=True)
class Content:
    """Words and numbers of a text, by how often they occur."""

    words: Counter[str]
    numbers: Counter[str]


def measured(folder: Path, *, samples: bool = False) -> dict[str, Any]:
    """Figures by article, and of all; with `samples` the numbers that are missing and invented."""
    articles = {path.stem: _of_article(path, samples=samples) for path in sorted(folder.glob("*.pdf"))}
    read = [figures for figures in articles.values() if "error" not in figures]
    return {"all": _summed(read), "articles": articles}


def _of_article(path: Path, *, samples: bool) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        converted = convert(path.read_bytes(), path.name, Limits())
    except MedkgError as error:
        return {"error": f"{error.code}: {error}"}
    seconds = time.perf_counter() - started
    document = document_of(converted)
    root = etree.parse(path.with_suffix(".xml"), etree.XMLParser(recover=True)).getroot()
    wanted = _content(_article_text(root))
    everything = _content(" ".join(_pieces(root, citations=True)))
    text = _content(document.text)
    structure = _structure(path.with_suffix(".xml"), document)
    doubled = Counter({word: count for word, count in wanted.words.items() if DOUBLED.search(word)})
    invented = Counter(
        {number: count for number, count in text.numbers.items() if number not in everything.numbers}
    )
    return {
        "pages": document.metadata["pages"],
        "seconds": round(seconds, 2),
        "words": wanted.words.total(),
        "words_found": (wanted.words & text.words).total(),
        "doubled": doubled.total(),
        "doubled_found": (doubled & text.words).total(),
        "numbers": wanted.numbers.total(),
        "numbers_found": (wanted.numbers & text.numbers).total(),
        "numbers_read": text.numbers.total(),
        "invented": invented.total(),
        **structure,
        **(
            {
                "missing_numbers": dict((wanted.numbers - text.numbers).most_common(SAMPLES)),
                "invented_numbers": dict(invented.most_common(SAMPLES)),
            }
            if samples
            else {}
        ),
        "metadata": {
            name: document.metadata[name]
            for name in ("unmapped_characters", "left_out", "unread_pages")
            if name in document.metadata
        },
    }


def _structure(path: Path, document: Document) -> dict[str, int]:
    """Headings, cells, rows and references of the JATS, and those of them that the document has."""
    content = path.read_bytes()
    payload = RawPayload(
        doc_id="published",
        source="files",
        format="jats",
        content=content,
        uri=f"bench:{path.name}",
        version=content_version(content),
    )
    try:
        article = JatsParser().parse(payload, "bench")
    except EmptyDocumentError:
        return {}
    figures: dict[str, int] = {}
    counts: dict[str, Callable[[Document], Counter[Any]]] = {
        "headings": _headings,
        "cells": _cells,
        "rows": _rows,
    }
    for name, count in counts.items():
        wanted = count(article)
        figures |= {name: wanted.total(), f"{name}_found": (wanted & count(document)).total()}
    return {**figures, "references": len(article.references), "references_read": len(document.references)}


def _headings(document: Document) -> Counter[str]:
    titles = (_plain(section.title) for section in all_sections(document.sections))
    return Counter(
        title for title in (re.sub(r"^[\d.|]+", "", title).rstrip(".:") for title in titles) if title
    )


def _cells(document: Document) -> Counter[str]:
    return Counter(
        _plain(cell)
        for table in document.tables
        for row in table.rows
        for cell in row
        if re.search(r"\d", cell) and _plain(cell)
    )


def _rows(document: Document) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(filter(None, map(_plain, row)))
        for table in document.tables
        for row in table.rows
        if re.search(r"\d", "".join(row))
    )


def _plain(text: str) -> str:
    """A text without marks, white space, case and the differences of hyphens and dots."""
    text = re.sub(r"[‐‑–—−-]", "-", MARK.sub("", text)).replace("·", ".")
    return re.sub(r"[\s^*∗]", "", text).casefold()


def _article_text(root: etree._Element) -> str:
    """Title, abstract, body and floats of an article, without its citation marks."""
    wanted = [
        element
        for element in root.iter("{*}title-group", "{*}abstract", "{*}body", "{*}floats-group")
        if not any(etree.QName(above).localname == "sub-article" for above in element.iterancestors())
    ]
    return " ".join(piece for element in wanted for piece in _pieces(element, citations=False))


def _pieces(element: etree._Element, *, citations: bool) -> Iterator[str]:
    """The text of an element; whatever is set high or low stands apart from what is beside it."""
    name = etree.QName(element).localname if isinstance(element.tag, str) else ""
    cited = name == "xref" and element.get("ref-type") in ("bibr", "ref", "table-fn", "fn", "aff")
    if name and name not in ("tex-math", "object-id", "graphic") and (citations or not cited):
        apart = "" if name in ("italic", "bold", "xref", "ext-link", "styled-content", "sc") else " "
        yield apart + (element.text or "")
        for child in element:
            yield from _pieces(child, citations=citations)
        yield apart
    yield element.tail or ""


def _content(text: str) -> Content:
    text = CITATION.sub(" ", text.replace("\u2009", " "))
    words = Counter(word.casefold() for word in WORD.findall(PARTED.sub("", text)))
    return Content(words, Counter(NUMBER.findall(text)))


def _summed(articles: Iterable[dict[str, Any]]) -> dict[str, Any]:
    sums: Counter[str] = Counter()
    count = 0
    for figures in articles:
        count += 1
        sums.update({name: value for name, value in figures.items() if isinstance(value, int | float)})
    return {
        "articles": count,
        "pages": sums["pages"],
        "pages_per_second": round(sums["pages"] / max(sums["seconds"], 0.01), 1),
        "words_found_percent": round(100 * sums["words_found"] / max(sums["words"], 1), 2),
        "doubled_found_percent": round(100 * sums["doubled_found"] / max(sums["doubled"], 1), 2),
        "numbers_found_percent": round(100 * sums["numbers_found"] / max(sums["numbers"], 1), 2),
        "invented_percent": round(100 * sums["invented"] / max(sums["numbers_read"], 1), 2),
        **{
            f"{name}_found": f"{sums[f'{name}_found']} of {sums[name]}"
            for name in ("headings", "cells", "rows")
        },
        "references_read": f"{sums['references_read']} for {sums['references']}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="with pairs NAME.pdf and NAME.xml")
    parser.add_argument("--samples", action="store_true", help="list numbers that are missing or invented")
    parser.add_argument("--out", type=Path, default=RESULTS / "pdf-text-published.json")
    arguments = parser.parse_args()
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "converter": f"{NAME}/{VERSION}",
        "hardware": hardware(),
        **measured(arguments.folder, samples=arguments.samples),
    }
    arguments.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result["all"], indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
