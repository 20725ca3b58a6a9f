"""MinerU over HTTP: the conformance suite against a service of its protocol, and services that do badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import indexed_part
from medkg.testing.pdf_converter_suite import PdfConverterSuite, ended
from medkg.testing.synthetic_pdfs import LAYOUTS, an_article, pdf_of, text_of
from orchestration.contracts import ConversionState, ConvertedPdf, PdfBlockKind
from orchestration.errors import (
    ConfigurationError,
    ConversionFailedError,
    ConversionLostError,
    DagsterResourceUnavailableError,
    DocumentTooLargeError,
    EncryptedPdfError,
    MalformedDocumentError,
    MedkgError,
    PdfLimitError,
    RateLimitedError,
)
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.pdf.mineru.content import converted
from orchestration.pdf.mineru.converter import MineruConverter
from orchestration.settings import load_settings
from tests.servers.mineru_server import Behaviour, MineruProcess, MineruServer

URL = "http://mineru.test"
HEALTHY = {
    "status": "healthy",
    "version": "3.4.4",
    "protocol_version": 2,
    "max_concurrent_requests": 3,
}


class TestMineruConverter(PdfConverterSuite):
    @pytest.fixture
    def converter(self) -> Iterator[MineruConverter]:
        with MineruServer() as server:
            converter = MineruConverter(server.url)
            yield converter
            converter.close()


@pytest.fixture
def pdf() -> bytes:
    return pdf_of(an_article(2, paragraphs=1), LAYOUTS["everything, two columns"])


def test_a_document_reads_the_same_by_way_of_mineru_as_it_was_written(pdf: bytes) -> None:
    with MineruServer() as server:
        converter = MineruConverter(server.url)
        task_id = converter.submit(pdf, "PMC1")
        ended(converter, [task_id])
        document = PdfIrParser().parse(a_payload(converter.result(task_id), "pdf-ir"), "default")
    assert indexed_part(document).text == text_of(an_article(2, paragraphs=1))
    assert len(document.references) == 8
    assert document.metadata["converter"] == "mineru/2+mineru-3.4.4-pipeline"


def test_capacity_is_twice_what_the_service_works_on_at_once(pdf: bytes) -> None:
    with MineruServer(Behaviour(workers=4)) as server:
        converter = MineruConverter(server.url)
        converter.submit(pdf, "PMC1")
        assert converter.capacity == 8


def test_a_queue_reports_how_many_are_ahead(pdf: bytes) -> None:
    with MineruServer(Behaviour(seconds=30, workers=1)) as server:
        converter = MineruConverter(server.url)
        task_ids = [converter.submit(pdf, f"PMC{number}") for number in range(3)]
        running, second, third = converter.poll(task_ids)
    assert running.state in (ConversionState.RUNNING, ConversionState.QUEUED)
    assert [second.state, third.state] == [ConversionState.QUEUED] * 2
    assert (third.ahead or 0) - (second.ahead or 0) == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("CUDA out of memory", ConversionFailedError),
        ("Failed to load file document.pdf: Incorrect password error", EncryptedPdfError),
        ("Failed to load file document.pdf: Data format error", MalformedDocumentError),
    ],
)
def test_a_failed_task_is_transient_unless_the_pdf_is_at_fault(
    pdf: bytes, message: str, expected: type[MedkgError]
) -> None:
    with MineruServer(Behaviour(fail_share=1.1, error=message)) as server:
        converter = MineruConverter(server.url)
        task_id = converter.submit(pdf, "PMC1")
        (status,) = ended(converter, [task_id])
        assert type(status.error) is expected and message in str(status.error)
        with pytest.raises(expected):
            converter.result(task_id)


def test_a_result_that_is_not_there_yet_is_a_failure_that_passes(pdf: bytes) -> None:
    with MineruServer(Behaviour(seconds=30)) as server:
        converter = MineruConverter(server.url)
        with pytest.raises(ConversionFailedError, match="not ready yet"):
            converter.result(converter.submit(pdf, "PMC1"))


def test_a_restarted_service_has_lost_its_tasks_and_takes_them_again(pdf: bytes) -> None:
    with MineruServer(Behaviour(seconds=30)) as server:
        converter = MineruConverter(server.url)
        task_id = converter.submit(pdf, "PMC1")
        server.restart(Behaviour())
        (status,) = converter.poll([task_id])
        assert status.state is ConversionState.FAILED and isinstance(status.error, ConversionLostError)
        (again,) = ended(converter, [converter.submit(pdf, "PMC1")])
        assert again.state is ConversionState.DONE


def test_a_killed_service_is_unavailable_until_it_is_back(pdf: bytes) -> None:
    with MineruProcess("--seconds", "30", "--die-after", "1") as service:
        converter = MineruConverter(service.url)
        task_id = converter.submit(pdf, "PMC1")
        with pytest.raises(DagsterResourceUnavailableError, match="mineru-api"):
            converter.submit(pdf, "PMC2")
        service.wait()
        with pytest.raises(DagsterResourceUnavailableError):
            converter.poll([task_id])
        service.kill()
        service.start("--seconds", "0")
        assert isinstance(converter.poll([task_id])[0].error, ConversionLostError)
        (status,) = ended(converter, [converter.submit(pdf, "PMC1")])
        assert status.state is ConversionState.DONE


@pytest.mark.parametrize("behaviour", [Behaviour(unwell=True), Behaviour(protocol=3)])
def test_an_unwell_service_or_one_of_another_protocol_is_no_fault_of_the_pdf(
    pdf: bytes, behaviour: Behaviour
) -> None:
    with (
        MineruServer(behaviour) as server,
        pytest.raises(DagsterResourceUnavailableError, match=r"not initialized|speaks protocol 3"),
    ):
        MineruConverter(server.url).submit(pdf, "PMC1")


@respx.mock
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(429, headers={"retry-after": "7"}, json={"detail": "slow"}), RateLimitedError),
        (httpx.Response(413, json={"detail": "large"}), DocumentTooLargeError),
        (httpx.Response(400, json={"detail": "Invalid backend"}), DagsterResourceUnavailableError),
        (httpx.Response(401, json={"detail": "key"}), DagsterResourceUnavailableError),
        (httpx.Response(502, text="<html>bad gateway"), DagsterResourceUnavailableError),
        (httpx.Response(202, json={"status": "pending"}), DagsterResourceUnavailableError),
        (httpx.Response(202, json={"task_id": "../../etc"}), DagsterResourceUnavailableError),
        (httpx.Response(202, json=[1]), DagsterResourceUnavailableError),
    ],
)
def test_a_refusal_is_an_error_of_the_pdf_or_of_the_service(
    answer: httpx.Response, expected: type[MedkgError]
) -> None:
    respx.get(f"{URL}/health").respond(json=HEALTHY)
    respx.post(f"{URL}/tasks").mock(return_value=answer)
    with pytest.raises(expected) as caught:
        MineruConverter(URL).submit(b"%PDF-1.7", "PMC1")
    assert type(caught.value) is expected
    assert getattr(caught.value, "retry_after", None) in (None, 7.0)


@respx.mock
@pytest.mark.parametrize(
    "result",
    [
        {"results": {}},
        {"results": {"document": {"content_list": None, "middle_json": "{}"}}},
        {"results": {"document": {"content_list": "[{", "middle_json": "{}"}}},
        {"results": {"document": {"content_list": "[]", "middle_json": '{"pdf_info": 3}'}}},
        {
            "results": {
                "document": {
                    "content_list": '[{"type":"text","page_idx":7}]',
                    "middle_json": '{"pdf_info":[]}',
                }
            }
        },
        {"results": [1]},
    ],
)
def test_a_result_that_is_no_document_is_a_failure_that_may_pass(result: dict[str, Any]) -> None:
    respx.get(f"{URL}/tasks/t1/result").respond(json={"version": "3.4.4", "backend": "pipeline", **result})
    with pytest.raises(ConversionFailedError):
        MineruConverter(URL).result("t1")


@respx.mock
def test_a_result_over_the_limit_is_not_read_to_its_end() -> None:
    respx.get(f"{URL}/tasks/t1/result").respond(content=b"x" * 3_000_000)
    with pytest.raises(PdfLimitError, match="max_result_megabytes"):
        MineruConverter(URL, max_result_megabytes=1).result("t1")


def test_a_pdf_over_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(DocumentTooLargeError, match="max_megabytes"):
        MineruConverter(URL, max_megabytes=1).submit(b"%PDF-" + b"0" * 1_000_001, "PMC1")


def test_a_wrong_field_of_the_configuration_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="backend"):
        MineruConverter(URL, backend="magic")
    with pytest.raises(ConfigurationError, match="MEDKG_MINERU_URL"):
        MineruConverter.from_settings({}, load_settings())


# --- what content_list says ------------------------------------------------------------------------

PAGE = {"page_idx": 0, "page_size": [500, 1000]}


def document_of(*items: dict[str, Any]) -> ConvertedPdf:
    entries = [{"bbox": [100, 100, 900, 200], "page_idx": 0} | item for item in items]
    return converted(json.dumps(entries), json.dumps({"pdf_info": [PAGE]}), "test", "1")


def test_places_in_thousandths_become_points() -> None:
    (block,) = document_of({"type": "text", "text": "We walked."}).blocks
    box = block.boxes[0]
    assert (box.page_no, box.left, box.top, box.right, box.bottom) == (1, 50, 100, 450, 200)


def test_headers_footers_and_page_numbers_are_left_out_and_footnotes_stay() -> None:
    kinds = [{"type": kind, "text": "x"} for kind in ("header", "footer", "page_number", "aside_text")]
    (block,) = document_of(*kinds, {"type": "page_footnote", "text": "* Both authors."}).blocks
    assert (block.kind, block.text) == (PdfBlockKind.FOOTNOTE, "* Both authors.")


def test_the_first_title_is_the_documents_and_levels_begin_at_one() -> None:
    blocks = document_of(
        {"type": "text", "text": "On walking", "text_level": 1},
        {"type": "text", "text": "1 Methods", "text_level": 2},
        {"type": "text", "text": "1.1 Setting", "text_level": 3},
    ).blocks
    assert [(block.kind, block.level) for block in blocks] == [
        (PdfBlockKind.TITLE, None),
        (PdfBlockKind.HEADING, 1),
        (PdfBlockKind.HEADING, 2),
    ]


def test_escapes_of_markdown_are_undone_and_formulas_keep_their_latex() -> None:
    text = r"Levels of IL\_6 (p\*) at the $5 \%$ level cost \$3, with $\alpha _ { 1 }$."
    (block,) = document_of({"type": "text", "text": text}).blocks
    assert block.text == r"Levels of IL_6 (p*) at the 5 \% level cost $3, with \alpha _ { 1 }."


def test_an_equation_is_its_latex_and_an_image_its_caption() -> None:
    equation, figure = document_of(
        {"type": "equation", "text": "$$\nQ = f(P)\n$$", "text_format": "latex"},
        {"type": "image", "image_caption": ["Figure 1.", "Map."], "image_footnote": ["By us."]},
    ).blocks
    assert (equation.kind, equation.text) == (PdfBlockKind.EQUATION, "Q = f(P)")
    assert (figure.kind, figure.text, figure.notes) == (
        PdfBlockKind.FIGURE_CAPTION,
        "Figure 1. Map.",
        ("By us.",),
    )


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("45<sup>2</sup>", "45[2]"),
        ("12.3<sup>a,b</sup>", "12.3[a,b]"),
        ("12.3 <sup>a</sup>", "12.3[a]"),
        ("1.2 (0.5)<b><sup>b</sup></b>", "1.2 (0.5)[b]"),
        ("0.05$ ^ { \\mathrm { c } } $", "0.05[c]"),
        ("3.1<eq>^{1,2}</eq>", "3.1[1,2]"),
        ("Smith 2010<sup>[12]</sup>", "Smith 2010[12]"),
        ("n (%)<sup>1</sup>", "n (%)[1]"),
        ("7<sup>†</sup>", "7†"),
        ("5$^{*}$", "5*"),
        ("5$^\\ddagger$", "5‡"),
        ("10<sup>6</sup>", "10^6"),
        ("10<sup>-3</sup>", "10^-3"),
        ("kg/m<sup>2</sup>", "kg/m2"),
        ("CO<sub>2</sub>", "CO2"),
        ("Ca$^{2+}$", "Ca2+"),
        ("log<sub>10</sub> 5<sub>2</sub>", "log10 5_2"),
        ("<sup>18</sup>F", "18F"),
        ("37$^{\\circ}$C", "37°C"),
        ("7<sup>th</sup>", "7th"),
        ("<sup>a</sup> Adjusted", "a Adjusted"),
        ("a<br>b", "a b"),
        ("$\\alpha^{2}$ 5", "\\alpha^{2} 5"),
        ("9 &lt; 10\\*", "9 < 10*"),
    ],
)
def test_marks_in_table_cells_are_apart_from_values_and_powers_stay(cell: str, text: str) -> None:
    body = f"<table><tr><th>x{cell}</th></tr><tr><td>{cell}</td></tr></table>"
    (block,) = document_of({"type": "table", "table_body": body}).blocks
    assert block.rows[1][0].text == text


def test_marks_in_running_text_are_apart_from_words_and_numbers() -> None:
    text = r"Mortality$^{12,13}$ fell to 45 $^ { 1 2 }$ in 10$^{6}$ of CO$_{2}$, by $x^{2}$."
    (block,) = document_of({"type": "text", "text": text}).blocks
    assert block.text == "Mortality[12,13] fell to 45[12] in 10^6 of CO2, by x^{2}."


def test_a_table_keeps_its_spans_its_header_and_its_notes() -> None:
    body = (
        "<table><tr><th rowspan='2'>Site</th><th colspan=2>Steps</th></tr><tr><th>A</th><th>B</th></tr>"
        "<tr><td>1</td><td>9 &lt; 10</td><td colspan='x'>8</td></tr></table>"
    )
    (block,) = document_of(
        {
            "type": "table",
            "table_caption": ["Table 2. Steps"],
            "table_footnote": ["By day."],
            "table_body": body,
        }
    ).blocks
    assert block.header_rows == 2 and block.notes == ("By day.",)
    assert [(cell.text, cell.columns, cell.rows) for cell in block.rows[0]] == [
        ("Site", 1, 2),
        ("Steps", 2, 1),
    ]
    assert [cell.text for cell in block.rows[2]] == ["1", "9 < 10", "8"]


def test_reference_lists_and_lists_keep_their_items() -> None:
    references, items = document_of(
        {"type": "list", "sub_type": "ref_text", "list_items": ["[1] Walker A.", "[2] Walker B."]},
        {"type": "text", "text": "- one  \n- two"},
    ).blocks
    assert (references.kind, references.text) == (PdfBlockKind.REFERENCE, "[1] Walker A.\n[2] Walker B.")
    assert (items.kind, items.text) == (PdfBlockKind.LIST, "- one\n- two")


def test_a_type_of_the_future_counts_as_a_paragraph_if_it_has_a_text() -> None:
    (block,) = document_of({"type": "poem", "text": "Roses."}, {"type": "hologram"}).blocks
    assert (block.kind, block.text) == (PdfBlockKind.PARAGRAPH, "Roses.")
