"""Files that are no prose: what they are said to be, and what stays prose."""

from __future__ import annotations

import pytest

from orchestration.errors import UnknownFormatError
from orchestration.formats.file_kinds import text_kind
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.sources.file_format import recognised

PROSE_PARSERS = {parser.format: parser for parser in (PlainTextParser(), MarkdownParser())}
MD5 = "0123456789abcdef0123456789abcdef"

RIS = "TY  - JOUR\nTI  - Kite strings\nER  - \n"
NBIB = "\nPMID- 41000070\nOWN - NLM\nTI  - Kite strings in\n      coastal wind.\n"
OTHERS = {
    "citations, RIS": (RIS, "RIS"),
    "citations, RIS under a line of its exporter": (f"Record 1 of 2\n{RIS}", "RIS"),
    "citations, MEDLINE": (NBIB, "MEDLINE"),
    "citations, MEDLINE with its owner first": (f"OWN - NLM\n{NBIB.lstrip()}", "MEDLINE"),
    "citations, BibTeX": ("@article{vane2021,\n  title = {Kites}\n}\n", "citations"),
    "citations, EndNote": ("%0 Journal Article\n%T Kites\n", "citations"),
    "checksums of md5": (f"MD5(kites.xml.gz)= {MD5}\n", "checksums"),
    "checksums of sha256sum": (f"{MD5}{MD5}  kites.xml.gz\n{MD5}{MD5} *tails.xml\n", "checksums"),
    "a checksum alone": (f"{MD5}\n", "checksums"),
    "CSV": ("pmid,title,year\n1,Kites rise,2020\n2,Tails,2021\n", "table"),
    "CSV of two columns": ("pmid,title\n1,Kites rise\n2,Tails\n", "table"),
    "CSV with quoted commas": ('pmid,text\n1,"Kites, they rise"\n2,"Tails, too"\n', "table"),
    "CSV with blanks behind commas": ("pmid, title, year\n1, Kites, 2020\n2, Tails, 2021\n", "table"),
    "CSV with semicolons": ("id;name;n\n1;a b;2\n2;c d;3\n", "table"),
    "TSV": ("File\tCitation\n1.tar.gz\tJ Kites. 2001; 3(1):55\n2.tar.gz\tJ Kites. 2002; 4(1):5\n", "table"),
    "TSV under a date": ("2026-11-30\n" + "a.gz\tJ Kites\tPMC1\n" * 12, "table"),
    "TSV with empty cells at the ends": (
        "pmid\ttitle\tnote\n1\tKites rise\t\n\tTails\tlate\n3\tSpars\t\n4\tLines\tnew\n",
        "table",
    ),
    "TSV whose last column is empty": (
        "pmid\ttitle\t\n" + "1\tKites rise\t\n" * 9 + "2\tTails\tnew\n",
        "table",
    ),
    "PMIDs": ("41000001\n41000002\n", "list of ids"),
    "one id": ("NCT01234567\n", "list of ids"),
    "ids of several kinds": ("PMC123\n10.5555/kb.1\nNCT01234567\n", "list of ids"),
    "addresses": ("https://kites.example/a b\n".replace(" ", "_") * 2, "list of ids"),
    "file names": ("pubmed26n0001.xml.gz\npubmed26n0002.xml.gz\n", "list of ids"),
    "a folder listing": ("-rw-r--r-- 1 root root 4096 Nov 30 a.xml\n" * 2, "list of ids"),
    "words": ("\n".join(["kite", "tail", "line", "spar", "bridle", "wind"]), "list of ids"),
    "sequences": (">kite1 Aquila\nACGTACGTACGTACGT\n", "sequences"),
    "variants": ("##fileformat=VCFv4.2\n#CHROM\tPOS\n", "sequences"),
    "rich text": ("{\\rtf1\\ansi Kites rise.}", "formatted"),
    "a script": ("#!/bin/sh\necho kites\n", "program"),
}


@pytest.mark.parametrize(("content", "what"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", ["export.txt", "export"])
def test_what_is_no_prose_is_named_and_becomes_no_document(content: str, what: str, name: str) -> None:
    with pytest.raises(UnknownFormatError, match=what):
        recognised(content.encode(), name, name, PROSE_PARSERS)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.ris", "RIS"),
        ("a.nbib", "MEDLINE"),
        ("a.bib", "citations"),
        ("a.xml.gz.md5", "checksums"),
        ("A.SHA256", "checksums"),
        ("a.csv", "table"),
        ("a.tsv", "table"),
    ],
)
def test_the_name_of_a_file_names_its_kind_too(name: str, what: str) -> None:
    with pytest.raises(UnknownFormatError, match=what):
        recognised(b"Kites rise in the wind.\n", name, name, PROSE_PARSERS)


PROSE = [
    "Kites rise.",
    "Kites",
    "On kites\n\nKites rise, fall, and turn.\nTails, lines, and spars hold them.\n",
    "Red, white, and blue.\nKites, tails, and lines.\nWind, sand, and sea.\n",
    "1. Kites rise\n2. Tails steady\n3. Lines hold\n",
    "\tKites rise in the wind, and\nfall without it.\n\tTails help.\n",
    "\tKites rise in the wind.\n\tTails help.\n\tLines hold them.\n",
    "Kites rise in the wind.\t\nTails help.\t\nLines hold them.\t\n",
    "VANE\tKites rise in the wind,\n\tand fall without it.\n\tTails help,\n\tand lines hold.\n",
    "The mean was 12.5; the range was 3 to 20.\nThe median was 11; none fell.\n",
    "凧は風で上がる\n" * 8,
    "[1] Vane Q. Kites. 2021.\n[2] Roe A. Tails. 2020.\n",
    "TY is a code of RIS files, as - is a sign.\n",
    "Dear all,\nkites rise.\nBest,\nQuill\n",
]


@pytest.mark.parametrize("content", PROSE)
def test_prose_stays_prose(content: str) -> None:
    assert recognised(content.encode(), "notes.txt", "notes.txt", PROSE_PARSERS).format == "text"


@pytest.mark.parametrize(
    "content",
    [
        "# Kites\n\nThey rise.\n",
        "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n",
        "---\nid: k\n---\nKites\n",
        "- kite\n- tail\n",
    ],
)
def test_markdown_stays_markdown(content: str) -> None:
    assert recognised(content.encode(), "notes.md", "notes.md", PROSE_PARSERS).format == "markdown"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<OAI-X><record/></OAI-X>", "root element is <OAI-X>"),
        (b'<?xml version="1.0"?><!-- a --><kites/>', "root element is <kites>"),
        (b"<html><body>No access</body></html>", "a web page"),
        (b'{"kites": [], "next": 2}', "JSON with fields kites, next"),
        (b"[41000001, 41000002]", "JSON"),
        (b'["kites", "tails"]', "JSON"),
        (b"\x1f\x8b\x08\x00", "gunzip"),
        (b"PAR1\x00", "Parquet"),
        (b"\x00" * 257 + b"ustar\x00", "tar -xf"),
        ("TY  - JOUR\nER  - \n".encode("utf-16"), "RIS"),
    ],
)
def test_the_error_of_another_format_says_what_the_file_is(content: bytes, what: str) -> None:
    with pytest.raises(UnknownFormatError) as error:
        recognised(content, "export", "export", PROSE_PARSERS)
    assert what in error.value.message


def test_a_parser_that_reads_such_a_format_comes_first() -> None:
    class RisParser(PlainTextParser):
        format = "ris"

        def recognises(self, head: bytes, name: str) -> int:
            return 90 if head.startswith(b"TY  - ") else 0

    assert recognised(RIS.encode(), "a.ris", "a.ris", PROSE_PARSERS | {"ris": RisParser()}).format == "ris"


def test_the_beginning_of_a_long_file_is_enough() -> None:
    row = "1,Kites rise,2020\n"
    assert text_kind(("pmid,title,year\n" + row * 9000)[: 1 << 16], "x") is not None
    assert text_kind(("Kites rise in the wind.\n" * 9000)[: 1 << 16], "x") is None
