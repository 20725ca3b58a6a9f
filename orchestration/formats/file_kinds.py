"""Kinds of text files that hold no prose: lists of citations, checksums, tables, lists of ids, sequences.

Comes in: the beginning of a file as text, and its name. Leaves: the kind with the next step, or None for what
may be prose. Parsers of prose refuse these files, so that none becomes one document without a name; the files
source puts the kind into its error. A parser plugin for such a format still comes first.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

__all__ = ["FileKind", "binary_kind", "text_kind"]


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is, and what to do with it; both continue a message 'FILE: it is ...'."""

    what: str
    next_step: str


_LEAVE_OUT: Final = "It holds no records: leave it out"
_AS_RECORDS: Final = (
    "Convert its rows to JSON Lines of {pmid, title, sections: [{label, text}]}, or to Markdown files"
)
_AS_XML: Final = (
    "Fetch its records with `--source pubmed --query 'PMID[uid] OR PMID[uid]'`, or export them as XML"
)
_CITATIONS: Final = FileKind("a list of citations for reference managers", _AS_XML)
_RIS: Final = FileKind("a list of citations in RIS format", _AS_XML)
_MEDLINE: Final = FileKind("a list of citations in MEDLINE format (.nbib)", _AS_XML)
_CHECKSUMS: Final = FileKind("a list of checksums", _LEAVE_OUT)
_TABLE: Final = FileKind("a table (CSV or TSV)", _AS_RECORDS)
_SEQUENCES: Final = FileKind("sequences or annotations of genomes", _LEAVE_OUT)
_IDS: Final = FileKind(
    "a list of ids, addresses or words",
    "Fetch its records from their service (`--source pubmed`, `pmc`, `openalex`, `clinicaltrials`)",
)
_MARKUP: Final = FileKind("a formatted document (RTF or PostScript)", "Save it as text or PDF")
_PROGRAM: Final = FileKind("a program", _LEAVE_OUT)

_BY_NAME: Final = {
    (".ris",): _RIS,
    (".nbib", ".medline"): _MEDLINE,
    (".bib", ".enw", ".ciw", ".enl"): _CITATIONS,
    (".md5", ".md5sum", ".sha1", ".sha256", ".sha512", ".sha1sum", ".sha256sum", ".sfv", ".crc"): _CHECKSUMS,
    (".csv", ".tsv", ".tab", ".psv"): _TABLE,
    (".fasta", ".fa", ".fastq", ".vcf", ".gff", ".gtf", ".gb", ".bed"): _SEQUENCES,
}
_BY_BEGINNING: Final[Sequence[tuple[re.Pattern[str], FileKind]]] = (
    (re.compile(r"(?:.*\n){0,10}?TY {1,2}- ?[A-Z]{3,6}\s"), _RIS),
    (re.compile(r"(?:[A-Z]{2,4} {0,2}- .*\n(?: {6}.*\n)*){0,20}PMID- ?\d+\s"), _MEDLINE),
    (re.compile(r"@[A-Za-z]{3,15}\s*\{[^\n]*,\s*\n?|%0 [A-Z][a-z]+|FN [^\n]*\nVR \d"), _CITATIONS),
    (re.compile(r">[^\n]+\n[A-Za-z*\-]{10,}(?:\n|\Z)|##fileformat=|##gff-version|LOCUS {4}"), _SEQUENCES),
    (re.compile(r"\{\\rtf|%!PS"), _MARKUP),
    (re.compile(r"#!\s*/"), _PROGRAM),
)
_CHECKSUM: Final = re.compile(
    r"(?:MD5|SHA-?\d{1,3}|CRC32|BLAKE2\w*)\s?\(.*\)\s?=\s?[0-9A-Fa-f]{8,128}"
    r"|(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})"
    r"(?:\s.*)?|\S+\s+(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})"
)
_ID: Final = re.compile(
    r"(?:PMID:?\s?)?\d{1,15}|(?:PMC|NCT|ISRCTN|EUCTR|W|GSE|MeSH:)\d[\d.-]*|\d{4}-\d{6}-\d\d(?:-\d\d)?"
    r"|[-dl](?:[r-][w-][xsStT-]){3}[.+@]?\s.*|(?:doi:\s?)?10\.\d{4,9}/\S+|[a-z][a-z0-9+]{1,9}://\S+|[\w.~+-]*[/\\]\S+|[\w+-][\w.+-]*\.[A-Za-z][\w.]{1,8}",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[A-Za-z0-9À-ɏͰ-ӿ'’_-]{1,40}")
"""Of scripts that set words apart by blanks; a line of Chinese or Japanese is no single word."""
_LEAST_WORDS: Final = 6
"""Lines of one word each that make a list of words; fewer may be a title, a name and a date."""
_LINES: Final = 400
"""Lines of a file that are looked at."""
_CSV_DELIMITERS: Final = "\t,;|"
_NUMBER: Final = re.compile(r"\s*[-+<>≤≥]?[\d.]+%?\s*")
_NUMBERS: Final = 0.6
"""Share of cells with numbers that makes a column of numbers, its name included."""
_FILLED: Final = 0.5
"""Share of cells that are not empty in a column between tabs."""
_HEADER: Final = re.compile(r"[\w#][\w #./()%-]{0,40}")
_SAME_WIDTH: Final = 0.9
"""Share of lines with the same number of cells that makes a table; headers and comments may differ."""

_IMAGE: Final = FileKind("an image", "Convert it to text or PDF, or leave it out")
_SIGNATURES: Final = {
    b"\x1f\x8b": FileKind("compressed (gzip)", "Unpack it with `gunzip`, and run again"),
    b"PK\x03\x04": FileKind(
        "a ZIP archive or an office document", "Unpack it, or save it as text, and run again"
    ),
    b"\xfd7zXZ": FileKind("compressed (xz)", "Unpack it with `unxz`, and run again"),
    b"BZh": FileKind("compressed (bzip2)", "Unpack it with `bunzip2`, and run again"),
    b"\x28\xb5\x2f\xfd": FileKind("compressed (zstd)", "Unpack it with `unzstd`, and run again"),
    b"\x04\x22\x4d\x18": FileKind("compressed (lz4)", "Unpack it with `unlz4`, and run again"),
    b"7z\xbc\xaf\x27\x1c": FileKind("a 7-Zip archive", "Unpack it, and run again"),
    b"Rar!\x1a\x07": FileKind("a RAR archive", "Unpack it, and run again"),
    b"\xd0\xcf\x11\xe0": FileKind("an old office document", "Save it as text, and run again"),
    b"SQLite format 3": FileKind("a database", "Export its records as JSON Lines, and run again"),
    b"PAR1": FileKind("a Parquet file", "Export its records as JSON Lines, and run again"),
    b"Obj\x01": FileKind("an Avro file", "Export its records as JSON Lines, and run again"),
    b"\x89HDF": FileKind("an HDF5 file", "Export its records as JSON Lines, and run again"),
    b"\x89PNG": _IMAGE,
    b"\xff\xd8\xff": _IMAGE,
    b"GIF8": _IMAGE,
    b"II*\x00": _IMAGE,
    b"MM\x00*": _IMAGE,
}
_TAR: Final = (257, b"ustar", FileKind("a tar archive", "Unpack it with `tar -xf`, and run again"))


def binary_kind(head: bytes) -> FileKind | None:
    """The kind of a file that no parser of text reads, by its first bytes."""
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    position, mark, tar = _TAR
    return tar if head[position : position + len(mark)] == mark else None


def text_kind(text: str, name: str) -> FileKind | None:
    """The kind of a text file that is no prose; `text` is its beginning, `name` its file name.

    A file that is named as Markdown is taken for that unless it begins as another format does.
    """
    lowered = name.casefold()
    named = next((kind for endings, kind in _BY_NAME.items() if lowered.endswith(endings)), None)
    if named is not None:
        return named
    beginning = text.lstrip("\ufeff \t\r\n")
    by_beginning = next((kind for pattern, kind in _BY_BEGINNING if pattern.match(beginning)), None)
    is_markdown = lowered.endswith((".md", ".markdown", ".mkd"))
    return by_beginning or _kind_of_lines(text, is_markdown=is_markdown)


def _kind_of_lines(text: str, *, is_markdown: bool) -> FileKind | None:
    rows = _lines(text)
    lines = [row.strip() for row in rows]
    if lines and all(map(_CHECKSUM.fullmatch, lines)):
        return _CHECKSUMS
    if not lines or is_markdown:
        return None
    if all(map(_ID.fullmatch, lines)) or _is_word_list(lines):
        return _IDS
    return _TABLE if any(_is_table(rows, mark) for mark in _CSV_DELIMITERS) else None


def _lines(text: str) -> list[str]:
    """The first lines that are not blank, without comments and without a last one that may be cut.

    Tabs at their ends stay: in a table they are empty cells.
    """
    lines = [line.strip(" \r\n\f\v") for line in islice(io.StringIO(text), _LINES)]
    if len(lines) > 1 and not text.endswith("\n") and len(text) > 1 << 15:
        lines.pop()
    return [line for line in lines if line.strip() and not line.lstrip().startswith(("#", ";"))]


def _is_word_list(lines: Sequence[str]) -> bool:
    return len(lines) >= _LEAST_WORDS and all(map(_WORD.fullmatch, lines))


def _is_table(lines: Sequence[str], delimiter: str) -> bool:
    """Whether nearly all rows have the same number of cells, written as tables and not as prose is."""
    if sum(line.count(delimiter) for line in lines) < 2:
        return False
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return False
    (width, count), *_ = Counter(map(len, rows)).most_common(1)
    if len(rows) < 2 or width < 2 or count < _SAME_WIDTH * len(rows):
        return False
    cells = [cell for row in rows if len(row) == width for cell in row]
    return _CELLS[delimiter](rows[0], cells, width)


def _of_tabs(header: Sequence[str], cells: Sequence[str], width: int) -> bool:
    """A tab before or behind the lines of prose sets no column apart: two columns are mostly filled."""
    shares = [_share(cell.strip() for cell in cells[column::width]) for column in range(width)]
    return sum(share >= _FILLED for share in shares) >= 2


def _of_marks(header: Sequence[str], cells: Sequence[str], width: int) -> bool:
    """Commas of prose are followed by a blank, and stand in no column of numbers below a name."""
    spaced = sum(cell.startswith(" ") for cell in cells)
    named = all(_HEADER.fullmatch(cell.strip().strip('"')) for cell in header)
    numbers = any(_share(map(_NUMBER.fullmatch, cells[column::width])) >= _NUMBERS for column in range(width))
    return (named or width > 2) and (spaced <= len(cells) // 4 or (named and numbers))


def _share(matches: Iterable[object]) -> float:
    values = [bool(value) for value in matches]
    return sum(values) / len(values)


def _of_bars(header: Sequence[str], cells: Sequence[str], width: int) -> bool:
    """A table between bars of Markdown has an empty cell at both ends; that is Markdown."""
    return width > 2 and header[0] != "" and not any(set(cell.strip()) == {"-"} for cell in cells)


_CELLS: Final[dict[str, Callable[[Sequence[str], Sequence[str], int], bool]]] = {
    "\t": _of_tabs,
    ",": _of_marks,
    ";": _of_marks,
    "|": _of_bars,
}
