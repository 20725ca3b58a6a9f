"""Mutated inputs for every parser and PDF reader: each must end in a sound document or a named error, soon.

`python -m tests.fuzzing.fuzz --cases 10000` draws so many cases per target with Hypothesis, one process per
target, and prints their outcomes and the largest memory; a crash, an exception that is not ours, an unsound
document or a case over the time limit ends it with exit code 1 and the case.
tests/fuzzing/test_fuzz.py runs a few of each. Seeds are small valid files; mutations cut, double and
replace bytes, tokens that readers trip over, values and keys of JSON, elements and texts of XML.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings

from medkg.testing.builders import (
    a_payload,
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_abstract,
    an_openalex_work,
    json_lines,
    study_results,
)
from medkg.testing.builders import an_article as a_jats_article
from medkg.testing.document_checks import assert_sound
from medkg.testing.parser_suite import attempt, locate, payload_of
from medkg.testing.pdf_converter_suite import ended
from medkg.testing.synthetic_pdfs import LAYOUTS, Layout, an_article, pdf_of
from orchestration.contracts import ConversionState, Parser
from orchestration.errors import MedkgError, StageFailedError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.http_json import HttpJsonParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser
from orchestration.pdf.mineru.content import converted
from orchestration.pdf.text_layer.converter import TextLayerConverter
from orchestration.pdf.text_layer.reading import Limits, convert
from tests.fuzzing import hostile_pdfs
from tests.fuzzing.mutations import mutated

__all__ = ["TARGETS", "fuzz"]

SECONDS: Final = 20
"""CPU time that one case may take."""
HANGS_AFTER: Final = 600
"""Seconds after which a case hangs."""
MEMORY_BYTES: Final = 4 << 30
"""Address space of a target's process."""

Reader = Callable[[bytes], str]
"""Reads one case and returns its outcome; raises for an outcome that is not allowed."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed: valid inputs, how they are mutated, and what reads them."""

    kind: str
    seeds: Sequence[bytes]
    reader: Reader


def _parser(parser: Parser) -> Reader:
    def read(case: bytes) -> str:
        """As ingest does: recognise, find the records, parse each; returns the first document or error."""
        attempt(parser, case)
        result = "nothing"
        for location in locate(parser, case):
            try:
                if location.error is not None:
                    raise location.error
                parser.parse(payload_of(parser, case, location), "default")
            except MedkgError as error:
                result = type(error).__name__ if result == "nothing" else result
            else:
                return "document"
        return result

    return read


def _mineru(case: bytes) -> str:
    middle = json.dumps({"pdf_info": [{"page_idx": page, "page_size": [595, 842]} for page in range(3)]})
    try:
        output = converted(case, middle, "fuzz", "1")
    except MedkgError as error:
        return type(error).__name__
    return _document(output.model_dump_json().encode())


def _document(converted_pdf: bytes) -> str:
    """What becomes of a converted PDF: its parser has the last word."""
    try:
        assert_sound(PdfIrParser().parse(a_payload(converted_pdf, "pdf-ir"), "default"))
    except MedkgError as error:
        return type(error).__name__
    return "document"


@cache
def _converter() -> TextLayerConverter:
    return TextLayerConverter(seconds=SECONDS / 2, megabytes=1_024)


def _pdf(case: bytes) -> str:
    """Through the converter's own process, as in operation: what crashes PDFium ends there, with a name."""
    converter = _converter()
    task_id = converter.submit(case, "fuzz")
    try:
        ended(converter, [task_id])
        content = converter.result(task_id)
    except StageFailedError:
        raise  # an exception of the reader that is not ours
    except MedkgError as error:
        crashed = converter.poll([task_id])[0].state is ConversionState.FAILED and "crashes PDFium" in str(
            error
        )
        return f"{type(error).__name__}{' (process ended)' if crashed else ''}"
    finally:
        converter.forget([task_id])
    return _document(content)


# --- seeds -----------------------------------------------------------------------------------------

_BODY = (
    "<sec><title>Methods</title><p>We <italic>walked</italic> 10<sup>3</sup> m.</p>"
    "<table-wrap><label>Table 1</label><table><tr><th rowspan='2'>Day</th><th colspan='2'>Steps</th></tr>"
    "<tr><td>1</td><td>9</td></tr></table>"
    "</table-wrap><list><list-item><p>one</p></list-item></list></sec>"
)
_RECORD: Final = {
    "id": "walks:1",
    "title": "Walking",
    "sections": [{"label": "Summary", "role": "abstract", "paragraphs": ["It helps."]}],
    "metadata": {"year": 2024},
}
_MARKDOWN = (
    b"---\ntitle: On walking\n---\n# Methods\n\nWe *walked*.\n\n- one\n  - two\n\n"
    b"| a | b |\n|---|---|\n| 1 | 2 |\n"
)
_MINERU = json.dumps(
    [
        {"type": "text", "text": "On walking", "text_level": 1, "bbox": [1, 2, 3, 4], "page_idx": 0},
        {"type": "text", "text": "We $x_1$ walked\\*.", "bbox": [1, 20, 300, 40], "page_idx": 0},
        {
            "type": "table",
            "table_caption": ["Table 1"],
            "table_body": "<table><tr><td colspan=2>a</td></tr></table>",
            "page_idx": 1,
        },
        {"type": "list", "sub_type": "ref_text", "list_items": ["[1] Walker A."], "page_idx": 2},
        {"type": "equation", "text": "$$x$$", "page_idx": 1},
        {"type": "image", "image_caption": ["Figure 1."], "image_footnote": [], "page_idx": 1},
    ]
).encode()


def _small_pdfs() -> list[bytes]:
    """Uncompressed, so that mutations reach what pages show."""
    article = an_article(1, paragraphs=1)
    layouts = (LAYOUTS["everything, two columns"], Layout(tables="grid"))
    return [
        *(pdf_of(article, layout, pageCompression=0) for layout in layouts),
        hostile_pdfs.a_plain_pdf("Participants walked before they slept."),
        hostile_pdfs.a_scan(1),
    ]


@cache
def target(name: str) -> Target:
    """The target of that name; raises KeyError."""
    return {
        "ctgov-v2": lambda: Target(
            "json",
            [
                json.dumps(a_study() | {"resultsSection": study_results()}).encode(),
                json.dumps([a_study(), a_study("NCT2")]).encode(),
            ],
            _parser(ClinicalTrialsParser()),
        ),
        "pubmed-jsonl": lambda: Target(
            "json",
            [json_lines([an_abstract(1), an_abstract("2")]), json.dumps(an_abstract(3)).encode()],
            _parser(PubmedJsonlParser()),
        ),
        "openalex": lambda: Target(
            "json",
            [
                json.dumps(an_openalex_work(1)).encode(),
                json.dumps(
                    {"meta": {"count": 2}, "results": [an_openalex_work(1), an_openalex_work(2)]}
                ).encode(),
            ],
            _parser(OpenAlexParser()),
        ),
        "http-json": lambda: Target("json", [json_lines([_RECORD])], _parser(HttpJsonParser())),
        "pdf-ir": lambda: Target(
            "json", [convert(_small_pdfs()[0], "seed", Limits())], _parser(PdfIrParser())
        ),
        "mineru": lambda: Target("json", [_MINERU], _mineru),
        "jats": lambda: Target("xml", [a_jats_article(_BODY)], _parser(JatsParser())),
        "pubmed-xml": lambda: Target(
            "xml", [a_pubmed_set(a_pubmed_article("11"), a_pubmed_article("12"))], _parser(PubmedXmlParser())
        ),
        "markdown": lambda: Target("text", [_MARKDOWN], _parser(MarkdownParser())),
        "text": lambda: Target(
            "text", [b"Walking\n\nIt helps.\nA lot.\n\n- one\n- two\n"], _parser(PlainTextParser())
        ),
        "pdf": lambda: Target("pdf", _small_pdfs(), _pdf),
    }[name]()


TARGETS: Final = (
    "ctgov-v2",
    "pubmed-jsonl",
    "openalex",
    "http-json",
    "pdf-ir",
    "mineru",
    "jats",
    "pubmed-xml",
    "markdown",
    "text",
    "pdf",
)


# --- running it ------------------------------------------------------------------------------------


def fuzz(name: str, count: int) -> Counter[str]:
    """What became of so many cases; raises with the smallest case that is not what may be."""
    chosen = target(name)
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=mutated(chosen.kind, chosen.seeds))
    def run(case: bytes) -> None:
        with _watched():
            outcomes[chosen.reader(case)] += 1

    run()
    return outcomes


@contextmanager
def _watched() -> Iterator[None]:
    """Fail what takes too long; end the process with its stack if it hangs in C."""
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=sys.__stderr__ or sys.stderr)
    started = time.process_time()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert time.process_time() - started < SECONDS, "the case took too long"


def _one(name: str, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    started = time.monotonic()
    ended = fuzz(name, count)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if name == "pdf":
        _converter().close()
    report = {
        "target": name,
        "cases": sum(ended.values()),
        "seconds": round(time.monotonic() - started, 1),
        "largest_mib": round(max(largest, children)),
        "ended": dict(ended.most_common()),
    }
    print(json.dumps(report), flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--cases", type=int, default=10_000, help="of each target")
    parser.add_argument("--here", action="store_true", help="in this process; else one process a target")
    arguments = parser.parse_args()
    failed = False
    for name in arguments.targets or TARGETS:
        if arguments.here:
            _one(name, arguments.cases)
            continue
        command = [
            sys.executable,
            "-m",
            "tests.fuzzing.fuzz",
            name,
            "--cases",
            str(arguments.cases),
            "--here",
        ]
        failed |= subprocess.run(command, check=False).returncode != 0
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
