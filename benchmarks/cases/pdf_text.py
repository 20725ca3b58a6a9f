"""The text layer of PDFs against the text they were made of, and against PDFium's own text of the same pages.

`python -m benchmarks.cases.pdf_text` makes articles in every layout of `synthetic_pdfs`, reads their PDFs,
and writes benchmarks/results/pdf-text.json: by layout the character error rate (edit distance by characters
of the known text, white space as one blank), numbers of the text that are missing and numbers that are not
in it, headings, tables and references found of those there are, pages a second. What is not measured:
scans, formulas, and PDFs of other makers; the layouts here are those we can know the text of.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from medkg.testing.document_checks import indexed_part
from medkg.testing.synthetic_pdfs import LAYOUTS, PRINTS, Article, Layout, an_article, pdf_of, text_of
from orchestration.contracts import PDF_IR
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.pdf.text_layer.reading import NAME, VERSION, Limits, convert
from orchestration.records import Document, RawPayload, all_sections, content_version

from ..machine import hardware
from ..suite import RESULTS

__all__ = ["character_errors", "document_of", "measured", "number_errors"]

ARTICLES: Final = 25
NUMBER: Final = re.compile(r"\d+(?:[.,·]\d+)*")


def measured(articles: int, seed: int) -> dict[str, Any]:
    """Figures by layout, of so many articles each."""
    return {
        name: _of_layout(layout, range(seed, seed + articles))
        for name, layout in {**LAYOUTS, **PRINTS}.items()
    }


def character_errors(expected: str, actual: str) -> tuple[int, int]:
    """(Edit distance, characters expected), white space as one blank."""
    from rapidfuzz.distance import Levenshtein

    expected, actual = " ".join(expected.split()), " ".join(actual.split())
    return Levenshtein.distance(expected, actual), len(expected)


def number_errors(expected: str, actual: str) -> tuple[int, int]:
    """(Numbers that are missing, numbers that are invented), by how often each occurs."""
    wanted, read = (Counter(NUMBER.findall(text)) for text in (expected, actual))
    return (wanted - read).total(), (read - wanted).total()


def _of_layout(layout: Layout, seeds: Sequence[int]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    seconds = 0.0
    for seed in seeds:
        article = an_article(seed, tables=layout.tables != "none", marks=layout.marks)
        pdf = pdf_of(article, layout)
        started = time.perf_counter()
        converted = convert(pdf, f"synthetic {seed}", Limits())
        seconds += time.perf_counter() - started
        counts.update(_compared(article, document_of(converted), _pdfium_text(pdf)))
    return {
        "articles": len(seeds),
        "pages": counts["pages"],
        "cer_percent": round(100 * counts["errors"] / counts["characters"], 4),
        "numbers": counts["numbers"],
        "numbers_missing": counts["numbers missing"],
        "numbers_invented": counts["numbers invented"],
        "cer_percent_of_pdfium_text": round(100 * counts["pdfium_errors"] / counts["characters"], 2),
        "headings_found": f"{counts['headings found']} of {counts['headings']}",
        "tables_whole": f"{counts['tables whole']} of {counts['tables']}",
        "references_found": f"{counts['references found']} of {counts['references']}",
        "pages_per_second": round(counts["pages"] / seconds, 1),
    }


def _compared(article: Article, document: Document, pdfium_text: str) -> dict[str, int]:
    errors, characters = character_errors(text_of(article), document.text)
    pdfium_errors, _ = character_errors(text_of(article), pdfium_text)
    missing, invented = number_errors(text_of(article), document.text)
    headings = [part.text for part in article.parts if part.kind in ("heading", "subheading")]
    titles = {section.title for section in all_sections(document.sections)}
    tables = [part.rows for part in article.parts if part.kind == "table"]
    grids = [table.rows for table in document.tables]
    references = {entry.partition("] ")[2] for entry in article.references}
    return {
        "errors": errors,
        "characters": characters,
        "pdfium_errors": pdfium_errors,
        "pages": document.metadata["pages"],
        "numbers": len(NUMBER.findall(text_of(article))),
        "numbers missing": missing,
        "numbers invented": invented,
        "headings": len(headings),
        "headings found": sum(heading in titles for heading in headings),
        "tables": len(tables),
        "tables whole": sum(table in grids for table in tables),
        "references": len(references),
        "references found": len(references & {entry.text for entry in document.references}),
    }


def document_of(converted: bytes) -> Document:
    payload = RawPayload(
        doc_id="synthetic",
        source="files",
        format=PDF_IR,
        content=converted,
        uri="bench:synthetic",
        version=content_version(converted),
    )
    return indexed_part(PdfIrParser().parse(payload, "bench"))


def _pdfium_text(pdf: bytes) -> str:
    """What PDFium itself gives, in the order of the PDF's content, without the reference list."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    text = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    return text.partition("\nReferences")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--articles", type=int, default=ARTICLES, help="of each layout")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "pdf-text.json")
    arguments = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "converter": f"{NAME}/{VERSION}",
        "seed": arguments.seed,
        "hardware": hardware(),
        "layouts": measured(arguments.articles, arguments.seed),
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result["layouts"], indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
