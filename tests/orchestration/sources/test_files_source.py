"""The source `files`: what is found, in which order, and what is said of what cannot be read."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medkg.testing.builders import (
    a_page_of_studies,
    a_pmc_set,
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_abstract,
    an_article,
    an_openalex_page,
    an_openalex_work,
    json_lines,
)
from medkg.testing.source_suite import SourceSuite, request_of
from orchestration.contracts import Parser, Source, SourceRequest, values_of
from orchestration.errors import (
    DocumentTooLargeError,
    EmptyDocumentError,
    InputUnreadableError,
    MalformedDocumentError,
    MedkgError,
    MissingIdentifierError,
    StageFailedError,
    UnknownFormatError,
    UsageError,
)
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pdf import PdfParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.parsing.pubmed import PubmedJsonlParser, PubmedXmlParser
from orchestration.records import RawPayload, SourceItem
from orchestration.sources.files import FilesSource

UNPRIVILEGED = 65_534

PARSERS: dict[str, Parser] = {
    parser.format: parser
    for parser in (
        ClinicalTrialsParser(),
        JatsParser(),
        MarkdownParser(),
        PdfParser(),
        OpenAlexParser(),
        PlainTextParser(),
        PubmedJsonlParser(),
        PubmedXmlParser(),
    )
}
LIMIT = 100_000
Enumerate = Callable[..., list[SourceItem]]


@pytest.fixture
def source() -> FilesSource:
    return FilesSource(PARSERS, LIMIT)


@pytest.fixture
def enumerate_all(source: FilesSource) -> Enumerate:
    def enumerate_paths(*paths: Path) -> list[SourceItem]:
        request = SourceRequest(plugin="files", paths=tuple(map(str, paths)))
        return list(source.enumerate(request))

    return enumerate_paths


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with a file of every format."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.nxml").write_bytes(an_article())
    (folder / "b.jsonl").write_bytes(json_lines([an_abstract("1"), an_abstract("2")]))
    (folder / "c").mkdir()
    (folder / "c" / "notes.md").write_text("# Notes\n\nWalk more.")
    (folder / "c" / "plain.txt").write_text("Walk less.\n")
    (folder / "d.json").write_text(json.dumps([a_study("NCT00000001"), a_study("NCT00000002")]))
    (folder / "e.xml").write_bytes(a_pubmed_set())
    return folder


class TestFilesSource(SourceSuite):
    @pytest.fixture
    def source(self) -> Source:
        return FilesSource(PARSERS, LIMIT)

    @pytest.fixture
    def request_for_all(self, corpus: Path) -> SourceRequest:
        (corpus / "f.bin").write_bytes(bytes(range(256)))
        return SourceRequest(plugin="files", paths=(str(corpus),))

    @pytest.fixture
    def wrong_request(self, tmp_path: Path) -> SourceRequest:
        return SourceRequest(plugin="files", paths=(str(tmp_path / "missing"),))


def test_formats_are_told_apart_and_give_the_source_of_their_records(
    enumerate_all: Enumerate, corpus: Path
) -> None:
    items = enumerate_all(corpus)
    assert [(item.source, item.locator.format) for item in items] == [
        ("pmc", "jats"),
        ("pubmed", "pubmed-jsonl"),
        ("pubmed", "pubmed-jsonl"),
        ("files", "markdown"),
        ("files", "text"),
        ("clinicaltrials", "ctgov-v2"),
        ("clinicaltrials", "ctgov-v2"),
        ("pubmed", "pubmed-xml"),
    ]
    assert [item.doc_id for item in items if item.source == "clinicaltrials"] == [
        "NCT00000001",
        "NCT00000002",
    ]
    assert all(item.version and item.error_code is None for item in items)


def test_every_record_of_a_saved_page_is_fetched_and_parsed_by_itself(
    source: FilesSource, tmp_path: Path
) -> None:
    articles = [an_article(ids=f'<article-id pub-id-type="pmcid">PMC{n}</article-id>') for n in (1, 2)]
    pages = {
        "efetch.xml": a_pmc_set(*articles),
        "pubmed.xml": a_pubmed_set(a_pubmed_article("11"), a_pubmed_article("12")),
        "studies.json": a_page_of_studies(a_study("NCT00000001"), a_study("NCT00000002")),
        "works.json": an_openalex_page(an_openalex_work(1), an_openalex_work(2)),
    }
    for name, content in pages.items():
        (tmp_path / name).write_bytes(content)
    items = list(source.enumerate(SourceRequest(plugin="files", paths=(str(tmp_path),))))
    payloads = source.fetch([request_of(item) for item in items])
    parsed = [
        PARSERS[payload.format].parse(payload, "default")
        for payload in payloads
        if isinstance(payload, RawPayload)
    ]
    identities = [(document.doc_id, document.version) for document in parsed]
    assert identities == [(item.doc_id, item.version) for item in items]
    assert [doc_id for doc_id, _ in identities] == [
        "PMC1",
        "PMC2",
        "11",
        "12",
        "NCT00000001",
        "NCT00000002",
        "W1",
        "W2",
    ]


def test_an_unchanged_file_has_the_same_versions_and_a_changed_record_another(
    enumerate_all: Enumerate, corpus: Path
) -> None:
    before = {item.doc_id: item.version for item in enumerate_all(corpus)}
    (corpus / "b.jsonl").write_bytes(json_lines([an_abstract("1"), an_abstract("2", year="2021")]))
    after = {item.doc_id: item.version for item in enumerate_all(corpus)}
    assert {doc_id for doc_id in before if before[doc_id] != after[doc_id]} == {"2"}


def test_a_path_derived_id_is_readable_and_the_same_however_the_file_is_named(
    enumerate_all: Enumerate, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = corpus / "c" / "notes.md"
    monkeypatch.chdir(corpus)
    named = [enumerate_all(path)[0].doc_id for path in (note, Path("c"), Path("c/../c/notes.md"))]
    assert len(set(named)) == 1
    assert named[0].startswith("c/notes.md~")


def test_files_of_one_name_in_different_folders_do_not_collide(
    enumerate_all: Enumerate, tmp_path: Path
) -> None:
    for parent in ("x", "y"):
        folder = tmp_path / parent / "c"
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("Notes of " + parent)
    ids = [item.doc_id for item in enumerate_all(tmp_path)]
    assert len(set(ids)) == 2


def test_hidden_files_are_left_out_of_folders_but_not_when_named(
    enumerate_all: Enumerate, tmp_path: Path
) -> None:
    (tmp_path / ".hidden.txt").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config.txt").write_text("x")
    (tmp_path / "seen.txt").write_text("x")
    assert len(enumerate_all(tmp_path)) == 1
    assert len(enumerate_all(tmp_path / ".hidden.txt")) == 1


@pytest.mark.parametrize("mark", ["ledger.sqlite", "stores.json"])
def test_the_files_of_a_data_folder_are_no_documents(
    enumerate_all: Enumerate, tmp_path: Path, mark: str
) -> None:
    (tmp_path / "data" / "artifacts").mkdir(parents=True)
    (tmp_path / "data" / mark).write_text("{}")
    (tmp_path / "data" / "artifacts" / "page.txt").write_text("x")
    (tmp_path / "seen.txt").write_text("x")
    refused, other = enumerate_all(tmp_path)
    assert (other.error_code, refused.error_code) == (None, "MEDKG-207")
    assert f"{tmp_path / 'data'}: a data folder of medkg, since it holds {mark}." in str(
        refused.error_message
    )
    assert len(enumerate_all(tmp_path / "data" / "artifacts" / "page.txt")) == 1


def test_loops_of_links_end(enumerate_all: Enumerate, corpus: Path) -> None:
    (corpus / "c" / "up").symlink_to(corpus)
    (corpus / "c" / "self").symlink_to(corpus / "c")
    assert len(enumerate_all(corpus)) == 8


@pytest.mark.parametrize(
    ("name", "content"), [("paper.pdf", b"%PDF-1.7\n\x00"), ("disguised.txt", b"\n%PDF-1.7\nabc")]
)
def test_a_pdf_is_taken_whole_whatever_its_name(
    enumerate_all: Enumerate, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    (item,) = enumerate_all(tmp_path / name)
    assert (item.locator.format, item.error_code) == ("pdf", None)


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("empty.txt", b"", EmptyDocumentError, "file is empty"),
        ("none.json", b"[]", UnknownFormatError, "none of the installed formats"),
        ("a.xml.gz", b"\x1f\x8b\x08\x00", UnknownFormatError, "gunzip"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00", UnknownFormatError, "Convert it"),
        ("page.html", b"<!DOCTYPE html><html></html>", UnknownFormatError, "none of the installed"),
        (
            "no-abstracts.xml",
            b"<PubmedArticleSet></PubmedArticleSet>",
            EmptyDocumentError,
            "contains no records",
        ),
        ("study.json", json.dumps(a_study(None)).encode(), MissingIdentifierError, "no protocolSection"),
        ("large.txt", b"x" * (LIMIT + 1), DocumentTooLargeError, "max_document_bytes"),
        ("cut.json", json.dumps(a_study())[:-9].encode(), MalformedDocumentError, "not valid JSON"),
    ],
)
def test_what_cannot_be_ingested_is_one_item_with_its_reason(
    enumerate_all: Enumerate, tmp_path: Path, name: str, content: bytes, error: type[MedkgError], words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (item,) = enumerate_all(path)
    assert item.error_code == error.code
    assert words in (item.error_message or "")
    assert str(path) in (item.error_message or "")
    assert item.doc_id.startswith(f"{tmp_path.name}/{name}~")


def test_pipes_sockets_and_dead_links_are_items_with_errors(enumerate_all: Enumerate, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        items = enumerate_all(tmp_path)
    assert [item.error_code for item in items] == [InputUnreadableError.code] * 3


def test_a_file_without_permission_is_an_item_with_an_error(enumerate_all: Enumerate) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "secret.txt"
        path.write_text("x")
        path.chmod(0)
        with as_unprivileged_user():
            (item,) = enumerate_all(path)
    assert item.error_code == InputUnreadableError.code


@contextmanager
def as_unprivileged_user() -> Iterator[None]:
    """Runs the block as a user other than root, since root reads everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(UNPRIVILEGED)
    try:
        yield
    finally:
        os.seteuid(own)


def test_a_name_that_is_no_text_can_be_ingested(
    enumerate_all: Enumerate, source: FilesSource, tmp_path: Path
) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9 1.txt"
    with open(path, "wb") as stream:  # noqa: PTH123 - a name in bytes
        stream.write(b"Coffee.")
    (item,) = enumerate_all(tmp_path)
    item.model_dump_json()
    (payload,) = source.fetch([request_of(item)])
    assert isinstance(payload, RawPayload)
    assert payload.content == b"Coffee."


def test_wrong_requests_are_refused_at_once(source: FilesSource, tmp_path: Path) -> None:
    for request in (
        SourceRequest(plugin="files", paths=()),
        SourceRequest(plugin="files", paths=(str(tmp_path),), query="x"),
        SourceRequest(plugin="files", paths=(str(tmp_path / "no"),)),
    ):
        with pytest.raises(UsageError):
            source.enumerate(request)


def test_good_records_around_a_broken_one_are_found(enumerate_all: Enumerate, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines([an_abstract("1")]) + b'{"pmid": \n' + json_lines([an_abstract("3")]))
    first, broken, third = enumerate_all(path)
    assert (first.doc_id, third.doc_id) == ("1", "3")
    assert broken.doc_id.endswith("#2")
    assert broken.error_code == MalformedDocumentError.code


def test_records_that_moved_in_their_file_are_still_fetched(
    enumerate_all: Enumerate, source: FilesSource, corpus: Path
) -> None:
    items = [item for item in enumerate_all(corpus) if item.locator.uri.endswith("b.jsonl")]
    (corpus / "b.jsonl").write_bytes(json_lines([an_abstract("0"), an_abstract("2"), an_abstract("1")]))
    payloads = values_of(source.fetch([request_of(item) for item in items]))
    assert [json.loads(payload.content)["pmid"] for payload in payloads] == ["1", "2"]


def test_a_record_that_is_gone_says_that_the_file_changed(
    enumerate_all: Enumerate, source: FilesSource, corpus: Path
) -> None:
    first, second = [item for item in enumerate_all(corpus) if item.locator.uri.endswith("b.jsonl")]
    (corpus / "b.jsonl").write_bytes(json_lines([an_abstract("2")]))
    gone, payload = source.fetch([request_of(first), request_of(second)])
    assert isinstance(gone, MalformedDocumentError)
    assert "file changed" in gone.message
    assert isinstance(payload, RawPayload)


def test_a_text_that_grew_is_fetched_whole_with_its_new_version(
    enumerate_all: Enumerate, source: FilesSource, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("short")
    (item,) = enumerate_all(path)
    path.write_text("short no longer")
    (payload,) = source.fetch([request_of(item)])
    assert isinstance(payload, RawPayload)
    assert payload.content == b"short no longer"
    assert payload.version != item.version


def test_a_repaired_record_is_found_again_under_its_dead_letters_place(
    enumerate_all: Enumerate, source: FilesSource, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"")
    (item,) = enumerate_all(path)
    path.write_text("Now with text.")
    (payload,) = source.fetch([request_of(item)])
    assert isinstance(payload, RawPayload)
    assert payload.format == "text"


def test_a_deleted_file_fails_its_records_and_no_others(
    enumerate_all: Enumerate, source: FilesSource, corpus: Path
) -> None:
    items = enumerate_all(corpus)
    (corpus / "d.json").unlink()
    outcomes = source.fetch([request_of(item) for item in items])
    failed = [
        item.doc_id for item, outcome in zip(items, outcomes, strict=True) if isinstance(outcome, Exception)
    ]
    assert failed == ["NCT00000001", "NCT00000002"]
    assert all(
        isinstance(outcome, InputUnreadableError) for outcome in outcomes if isinstance(outcome, Exception)
    )


def test_a_parser_that_raises_anything_fails_its_file_only(corpus: Path) -> None:
    class Breaking(PlainTextParser):
        def records(self, stream: object, uri: str, max_record_bytes: int) -> Iterator:  # type: ignore[type-arg]
            raise ZeroDivisionError("oops")

    source = FilesSource(PARSERS | {"text": Breaking()}, LIMIT)
    items = list(source.enumerate(SourceRequest(plugin="files", paths=(str(corpus),))))
    assert [item.error_code for item in items if item.error_code] == [StageFailedError.code]
    assert len(items) == 8


def test_a_file_that_keeps_the_id_of_its_first_place_is_fetched_where_it_is_now(tmp_path: Path) -> None:
    source = FilesSource.from_parsers(PARSERS, 1_000_000)
    first = tmp_path / "a.md"
    first.write_text("# A\n")
    (item,) = source.enumerate(SourceRequest(plugin="files", paths=(str(first),)))
    assert item.id_of_place
    assert item.place == str(first)
    moved = first.rename(tmp_path / "b.md")
    request = request_of(
        item.model_copy(update={"locator": item.locator.model_copy(update={"uri": str(moved)})})
    )
    (payload,) = source.fetch([request])
    assert isinstance(payload, RawPayload)
    assert (payload.doc_id, payload.content) == (item.doc_id, b"# A\n")
    assert source.has_place(str(moved))
    assert not source.has_place(str(first))
    assert source.has_place("registry:https://registry.example?")
