"""Damaged PDFs: pages whose streams do not decode are named and left out, and most of them fail the PDF."""

from __future__ import annotations

import re
import zlib

import pytest
import structlog

from medkg.testing.builders import a_payload
from medkg.testing.synthetic_pdfs import LAYOUTS, an_article, pdf_of
from orchestration.contracts import ConvertedPdf
from orchestration.errors import MalformedDocumentError
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.pdf.text_layer.reading import Limits, convert
from orchestration.records import Document
from tests.fuzzing import hostile_pdfs

WORDS = "participants of group {number} walked 7,310 steps before they slept"


def pages_of_words(pages: int, *, content: dict[int, bytes] | None = None, cmap: bytes = b"") -> bytes:
    """Pages of twenty lines, compressed; `content` replaces what is in the streams of some.

    `cmap`, compressed, is the map to characters of page 1's font.
    """
    kids = b" ".join(b"%d 0 R" % (4 + 2 * page) for page in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    mapped = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode %d 0 R >>" % (4 + 2 * pages)
    for page in range(pages):
        stream = (content or {}).get(page + 1)
        font = mapped if cmap and page == 0 else b"3 0 R"
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 %s >> >> >>" % (5 + 2 * page, font)
        )
        objects.append(compressed(zlib.compress(operators(page + 1)) if stream is None else stream))
    return hostile_pdfs.raw_pdf([*objects, *([compressed(cmap)] if cmap else [])])


def compressed(stream: bytes) -> bytes:
    return b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)


def operators(number: int) -> bytes:
    lines = (
        f"BT /F1 10 Tf 72 {760 - 12 * line} Td (Line {line}: {WORDS.format(number=number)}.) Tj ET\n"
        for line in range(20)
    )
    return "".join(lines).encode()


def with_changed_bytes(stream: bytes, at: int) -> bytes:
    return stream[:at] + bytes(byte ^ 0x5A for byte in stream[at : at + 3]) + stream[at + 3 :]


def converted(pdf: bytes) -> ConvertedPdf:
    return ConvertedPdf.model_validate_json(convert(pdf, "test.pdf", Limits()))


def document_of(pdf: bytes) -> Document:
    return PdfIrParser().parse(a_payload(convert(pdf, "test.pdf", Limits()), "pdf-ir"), "default")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_page_whose_content_stream_was_changed_is_named_and_the_others_are_read(share: float) -> None:
    sound = zlib.compress(operators(2))
    changed = with_changed_bytes(sound, int(share * len(sound)))
    with structlog.testing.capture_logs() as logs:
        document = document_of(pages_of_words(3, content={2: changed}))
    assert document.metadata["unread_pages"] == [2]
    assert [(log["event"], log["pages"]) for log in logs] == [("pages not read: scanned or damaged", [2])]
    assert document.text.count(WORDS.format(number=1)) == document.text.count(WORDS.format(number=3)) == 20
    assert "group 2" not in document.text


def test_a_change_that_only_the_checksum_shows_is_found() -> None:
    sound = zlib.compress(operators(2), 0)
    changed = sound.replace(b"7,310", b"7,810")
    assert document_of(pages_of_words(3, content={2: changed})).metadata["unread_pages"] == [2]


def test_a_content_stream_without_its_end_is_damaged_and_one_without_its_checksum_is_not() -> None:
    sound = zlib.compress(operators(2))
    assert document_of(pages_of_words(3, content={2: sound[:-40]})).metadata["unread_pages"] == [2]
    whole = document_of(pages_of_words(3, content={2: sound[:-4]}))
    assert "unread_pages" not in whole.metadata
    assert whole.text.count("7,310") == 60


def test_no_paragraph_goes_on_over_a_page_that_was_not_read() -> None:
    content = {
        number: zlib.compress(b"BT /F1 10 Tf 72 %d Td (%s) Tj ET" % (height, words))
        for number, height, words in (
            (1, 40, b"All of the participants of our trial walked and"),
            (3, 780, b"slept, as did those of the other trial"),
        )
    }
    damaged = with_changed_bytes(zlib.compress(operators(2)), 30)
    sound = [block.text for block in converted(pages_of_words(3, content={**content, 2: b""})).blocks]
    assert sound == ["All of the participants of our trial walked and slept, as did those of the other trial"]
    pdf = converted(pages_of_words(3, content={**content, 2: damaged}))
    assert [page.unread for page in pdf.pages] == [False, True, False]
    assert [block.text for block in pdf.blocks] == [
        "All of the participants of our trial walked and",
        "slept, as did those of the other trial",
    ]


@pytest.mark.parametrize("pages", [1, 3, 5])
def test_a_pdf_most_of_whose_pages_are_damaged_fails_by_name(pages: int) -> None:
    damaged = {
        number: with_changed_bytes(zlib.compress(operators(number)), 20)
        for number in range(1, pages // 2 + 2)
    }
    with pytest.raises(MalformedDocumentError, match=f"{len(damaged)} of its {pages} pages are damaged"):
        document_of(pages_of_words(pages, content=damaged))


def test_half_of_the_pages_are_enough() -> None:
    damaged = {number: with_changed_bytes(zlib.compress(operators(number)), 20) for number in (1, 4)}
    assert document_of(pages_of_words(4, content=damaged)).metadata["unread_pages"] == [1, 4]


def test_a_page_whose_content_is_missing_is_damaged_and_a_blank_page_is_not() -> None:
    pdf = pages_of_words(3, content={2: b""})
    assert "unread_pages" not in document_of(pdf).metadata
    missing = pdf.replace(b"/Contents 7 0 R", b"/Contents 99 0 R")
    assert document_of(missing).metadata["unread_pages"] == [2]


def test_a_page_in_a_font_whose_map_to_characters_is_damaged_is_named() -> None:
    cmap = zlib.compress(b"1 begincodespacerange <00> <FF> endcodespacerange " * 9)
    assert "unread_pages" not in document_of(pages_of_words(3, cmap=cmap)).metadata
    damaged = pages_of_words(3, cmap=with_changed_bytes(cmap, 12))
    assert document_of(damaged).metadata["unread_pages"] == [1]


def test_a_damaged_name_of_a_filter_is_damage() -> None:
    sound = zlib.compress(operators(2))
    pdf = pages_of_words(3, content={2: sound})
    at = [match.start() for match in re.finditer(b"/FlateDecode", pdf)][1]
    changed = pdf[:at] + b"/FlateDexode" + pdf[at + 12 :]
    assert document_of(changed).metadata["unread_pages"] == [2]


def test_pages_that_the_count_leaves_out_are_not_lost_silently() -> None:
    pdf = pages_of_words(3).replace(b"/Count 3", b"/Count 1")
    with pytest.raises(MalformedDocumentError, match="page tree has 3 pages, and counts 1"):
        document_of(pdf)


def test_many_characters_on_one_spot_are_a_sign_of_damage() -> None:
    pdf = pages_of_words(3)
    fonts = pdf.replace(
        b"/BaseFont /Helvetica",
        b"/BaseFont /Walker /FirstChar 32 /LastChar 126 /Widths [%s]" % b" ".join([b"0"] * 95),
    )
    assert "unread_pages" not in document_of(pdf).metadata
    with pytest.raises(MalformedDocumentError, match="3 of its 3 pages are damaged"):
        document_of(fonts)


def test_operators_as_text_are_a_sign_of_damage() -> None:
    shown = b"BT /F1 10 Tf 72 700 Td (%s) Tj ET" % (rb"72 654 Tm Tm [\(walk\)-307\(ed\)]TJ " * 3)
    document = document_of(pages_of_words(3, content={2: zlib.compress(shown)}))
    assert document.metadata["unread_pages"] == [2]


def test_a_table_of_counts_with_shares_is_no_damage() -> None:
    rows = b"".join(
        rb"BT /F1 10 Tf 72 %d Td (Group %d: 43 \(12\) 1224 \(18\) -7 \(3\)) Tj ET " % (760 - 14 * row, row)
        for row in range(30)
    )
    document = document_of(pages_of_words(3, content={2: zlib.compress(rows)}))
    assert "unread_pages" not in document.metadata and "43 (12) 1224 (18)" in document.text


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_sound_layout_has_no_damaged_page(name: str) -> None:
    assert "unread_pages" not in document_of(pdf_of(an_article(4), LAYOUTS[name])).metadata


def test_an_encrypted_pdf_is_checked_by_its_decrypted_streams() -> None:
    assert "unread_pages" not in document_of(hostile_pdfs.an_encrypted_pdf("")).metadata
