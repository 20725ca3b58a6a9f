"""What every parser promises, as tests. Subclass, give the fixtures, and pytest runs them all:

class TestMyParser(ParserSuite):
    @pytest.fixture
    def parser(self): return MyParser()

    @pytest.fixture
    def sample(self): return ParserSample("records.my", content, ["id-1", "id-2"])
"""

from __future__ import annotations

import hashlib
import io
import pickle
import random
from dataclasses import dataclass, field
from typing import BinaryIO

import pytest

from medkg.testing.document_checks import assert_sound
from orchestration.contracts import Parser, RecordLocation
from orchestration.contracts.downloads import LinksToPdfs
from orchestration.errors import DocumentTooLargeError, MedkgError
from orchestration.records import Document, RawPayload

LIMIT = 10_000_000


@dataclass(frozen=True)
class ParserSample:
    """A valid file of the format: its name, its bytes, the ids in it (None: the record has none)."""

    name: str
    content: bytes
    doc_ids: list[str | None] = field(default_factory=lambda: [None])


class PiecewiseStream(io.RawIOBase):
    """A file that hands out what is asked for in pieces, and fails the test when asked for all at once."""

    LARGEST_READ = 1 << 22

    def __init__(self, content: bytes, *, filler: int = 0) -> None:
        self._inside = io.BytesIO(content)
        self._filler = filler

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None and 0 < size <= self.LARGEST_READ, "records() must read in bounded pieces"
        piece = self._inside.read(size)
        if not piece and self._filler > 0:
            piece = b" " * min(size, self._filler)
            self._filler -= len(piece)
        return piece


class ParserSuite:
    """Subclass with the fixtures `parser` and `sample`."""

    @pytest.fixture
    def parser(self) -> Parser:
        raise NotImplementedError("give the parser under test")

    @pytest.fixture
    def sample(self) -> ParserSample:
        raise NotImplementedError("give a valid file of its format")

    def test_names_its_format_version_and_source(self, parser: Parser) -> None:
        assert parser.format and parser.version and parser.source

    def test_recognises_its_format_by_content_alone(self, parser: Parser, sample: ParserSample) -> None:
        assert parser.recognises(sample.content[: 1 << 16], "no-extension") > 0
        assert parser.recognises(sample.content[: 1 << 16], sample.name) > 0

    @pytest.mark.parametrize(
        "head", [b"", b"\x00\x01\x02\x03" * 100, b"\x89PNG\r\n\x1a\n\x00\x00", b"\xff" * 50]
    )
    def test_does_not_recognise_binary_files(self, parser: Parser, head: bytes) -> None:
        assert parser.recognises(head, "x.bin") <= 10

    def test_finds_every_record_with_its_id_and_version(self, parser: Parser, sample: ParserSample) -> None:
        locations = locate(parser, sample.content)
        assert [location.error for location in locations] == [None] * len(sample.doc_ids)
        assert [location.doc_id for location in locations] == sample.doc_ids
        assert all(location.version for location in locations)
        ends = [0, *(location.start + location.length for location in locations)]
        assert all(location.start >= end for location, end in zip(locations, ends, strict=False))
        assert ends[-1] <= len(sample.content)

    def test_a_record_cut_out_of_its_file_is_found_again_with_the_same_version(
        self, parser: Parser, sample: ParserSample
    ) -> None:
        for location in locate(parser, sample.content):
            cut = sample.content[location.start : location.start + location.length]
            (again,) = locate(parser, cut)
            assert (again.doc_id, again.version) == (location.doc_id, location.version)

    def test_documents_are_sound_and_belong_to_their_tenant(
        self, parser: Parser, sample: ParserSample
    ) -> None:
        for document in documents(parser, sample.content, tenant_id="oncology"):
            assert_sound(document)
            assert document.tenant_id == "oncology"
            assert document.parser == f"{parser.format}/{parser.version}"

    def test_parsing_twice_gives_the_same(self, parser: Parser, sample: ParserSample) -> None:
        assert documents(parser, sample.content) == documents(parser, sample.content)

    def test_travels_to_worker_processes(self, parser: Parser, sample: ParserSample) -> None:
        unpickled = pickle.loads(pickle.dumps(parser))
        assert documents(unpickled, sample.content) == documents(parser, sample.content)

    def test_a_record_over_the_limit_is_an_error_and_not_held(
        self, parser: Parser, sample: ParserSample
    ) -> None:
        stream = PiecewiseStream(sample.content.rstrip()[:-1], filler=0)
        locations = list(parser.records(as_binary(stream), "large", 10))
        assert any(isinstance(location.error, DocumentTooLargeError) for location in locations)
        assert not any(location.doc_id for location in locations)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    def test_a_truncated_file_raises_nothing_but_medkg_errors(
        self, parser: Parser, sample: ParserSample, share: float
    ) -> None:
        attempt(parser, sample.content[: int(len(sample.content) * share)])

    def test_links_to_pdfs_are_web_addresses_and_none_comes_twice(
        self, parser: Parser, sample: ParserSample
    ) -> None:
        if isinstance(parser, LinksToPdfs):
            for location in locate(parser, sample.content):
                assert_links(parser, payload_of(parser, sample.content, location))

    def test_damaged_bytes_raise_nothing_but_medkg_errors(self, parser: Parser, sample: ParserSample) -> None:
        chance = random.Random(7)
        for _ in range(60):
            damaged = bytearray(sample.content)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            attempt(parser, bytes(damaged))


def as_binary(stream: io.RawIOBase) -> BinaryIO:
    return stream  # type: ignore[return-value]


def locate(parser: Parser, content: bytes, limit: int = LIMIT) -> list[RecordLocation]:
    return list(parser.records(as_binary(PiecewiseStream(content)), "/corpus/sample", limit))


def payload_of(parser: Parser, content: bytes, location: RecordLocation) -> RawPayload:
    cut = content[location.start : location.start + location.length]
    return RawPayload(
        doc_id=location.doc_id or "derived-1",
        source=parser.source,
        format=parser.format,
        content=cut,
        uri="/corpus/sample",
        version=location.version or hashlib.sha256(cut).hexdigest(),
    )


def documents(parser: Parser, content: bytes, tenant_id: str = "default") -> list[Document]:
    return [
        parser.parse(payload_of(parser, content, location), tenant_id)
        for location in locate(parser, content)
        if location.error is None
    ]


def attempt(parser: Parser, content: bytes) -> None:
    """Do with `content` what ingest does; anything but a sound document or a MedkgError fails the test."""
    parser.recognises(content[: 1 << 16], "attempt")
    for location in locate(parser, content):
        assert location.doc_id is None or location.error is None
        payload = payload_of(parser, content, location)
        try:
            assert_sound(parser.parse(payload, "default"))
            if isinstance(parser, LinksToPdfs):
                assert_links(parser, payload)
        except MedkgError as error:
            assert error.message and error.code != MedkgError.code


def assert_links(parser: LinksToPdfs, payload: RawPayload) -> None:
    urls = [link.url for link in parser.pdf_links(payload)]
    assert all(url.lower().startswith(("http://", "https://")) for url in urls)
    assert len(set(urls)) == len(urls)
