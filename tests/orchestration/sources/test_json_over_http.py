"""JSON services by configuration: paging of three kinds, changes, mapping, and wrong descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import respx

from medkg.testing.builders import TENANT
from medkg.testing.source_suite import SourceSuite, good_items, request_of
from orchestration.contracts import ListedSource, Source, SourceRequest
from orchestration.errors import ConfigurationError, CursorRefusedError, UnexpectedAnswerError
from orchestration.records import RawPayload
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import Parameters, ReplayServer, Reply, replaying
from tests.servers.replay_services import in_json

DESCRIPTION = """
name: walks
url: {url}/walks
parameters: {{format: json}}
query_parameter: q
records: data.items
{paging}
since: {{parameter: changed, format: date}}
ids_parameter: ids
address: https://walks.example/{{id}}
document:
  id: walk.number
  title: walk.name
  sections:
    - {{label: Summary, place: walk.summary, role: abstract}}
    - {{label: Places, place: walk.stops.name}}
  metadata: {{year: walk.year}}
"""
PAGING = {
    "none": "",
    "token": "paging: {kind: token, parameter: token, place: next}",
    "offset": "paging: {kind: offset, parameter: skip, size_parameter: take, size: 2}",
    "page": "paging: {kind: page, parameter: page, first: 0}",
}
REQUEST = SourceRequest(plugin="walks", query="sleep")


def a_walk(number: int | None, **fields: Any) -> dict[str, Any]:
    walk = {"number": number, "name": f"Walk {number}", "summary": "It helps.", "year": 2024}
    return {"walk": walk | {"stops": [{"name": "Hill"}, {"name": "Lake"}]} | fields, "views": number}


class WalksService:
    """Pages of two, by whatever parameter asks for them."""

    def __init__(self, kind: str, count: int = 5) -> None:
        self.kind = kind
        self.walks = [a_walk(number) for number in range(1, count + 1)]

    def __call__(self, path: str, parameters: Parameters) -> Reply:
        if "ids" in parameters:
            wanted = parameters["ids"].split(",")
            return in_json(
                {"data": {"items": [walk for walk in self.walks if str(walk["walk"]["number"]) in wanted]}}
            )
        start = {
            "none": 0,
            "token": int(parameters.get("token", "0")),
            "offset": int(parameters.get("skip", "0")),
            "page": 2 * int(parameters.get("page", "0")),
        }[self.kind]
        size = len(self.walks) if self.kind == "none" else 2
        answer: dict[str, Any] = {"data": {"items": self.walks[start : start + size]}}
        if self.kind == "token" and start + size < len(self.walks):
            answer["next"] = start + size
        return in_json(answer)


@pytest.fixture(params=PAGING)
def server(request: pytest.FixtureRequest) -> Iterator[ReplayServer]:
    with replaying(WalksService(request.param)) as server:
        yield server


def described(folder: Path, url: str, kind: str = "token") -> Path:
    sources = folder / "sources"
    sources.mkdir(exist_ok=True)
    (sources / "walks.yaml").write_text(DESCRIPTION.format(url=url, paging=PAGING[kind]))
    return sources


class TestADescribedServiceIsASource(SourceSuite):
    @pytest.fixture
    def source(self, server: ReplayServer, tmp_path: Path) -> Iterator[Source]:
        folder = described(tmp_path, server.url, server.service.kind)  # type: ignore[attr-defined]
        with assembled(tmp_path, json_sources_dir=folder) as assembly:
            yield assembly.sources["walks"]

    @pytest.fixture
    def request_for_all(self) -> SourceRequest:
        return REQUEST

    @pytest.fixture
    def wrong_request(self) -> SourceRequest:
        return SourceRequest(plugin="walks")

    def test_every_record_comes(self, source: Source, request_for_all: SourceRequest) -> None:
        items = list(source.enumerate(request_for_all))
        assert [item.doc_id for item in items] == [f"walks:{number}" for number in range(1, 6)]


@pytest.fixture
def walks(tmp_path: Path) -> Iterator[ListedSource]:
    """The source in front of respx."""
    with assembled(tmp_path, json_sources_dir=described(tmp_path, "https://walks.example")) as assembly:
        yield assembly.sources["walks"]  # type: ignore[misc]


def test_a_record_becomes_a_document_as_it_is_mapped(tmp_path: Path) -> None:
    with (
        replaying(WalksService("token", 1)) as server,
        assembled(tmp_path, json_sources_dir=described(tmp_path, server.url)) as assembly,
    ):
        source = assembly.sources["walks"]
        (payload,) = source.fetch([request_of(item) for item in good_items(source, REQUEST)])
        assert isinstance(payload, RawPayload)
        document = assembly.parsers["http-json"].parse(payload, TENANT)
    assert document.text == "Walk 1\n\nSummary\n\nIt helps.\n\nPlaces\n\nHill\n\nLake"
    assert document.sections[0].role in ("abstract", None)
    assert (document.metadata["year"], payload.uri) == (2024, "https://walks.example/1")


def test_a_field_that_is_not_mapped_makes_no_new_version(tmp_path: Path) -> None:
    with (
        replaying(WalksService("token", 1)) as server,
        assembled(tmp_path, json_sources_dir=described(tmp_path, server.url)) as assembly,
    ):
        source, service = assembly.sources["walks"], server.service
        (before,) = source.enumerate(REQUEST)
        service.walks[0]["views"] = 999  # type: ignore[attr-defined]
        assert next(iter(source.enumerate(REQUEST))).version == before.version
        service.walks[0]["walk"]["summary"] = "It does not."  # type: ignore[attr-defined]
        assert next(iter(source.enumerate(REQUEST))).version != before.version


@respx.mock
def test_changes_are_asked_for_as_described(walks: ListedSource) -> None:
    route = respx.get("https://walks.example/walks").respond(json={"data": {"items": []}})
    list(walks.listing(REQUEST, TENANT, datetime(2026, 11, 28, tzinfo=UTC), None))
    parameters = route.calls.last.request.url.params
    assert (parameters["q"], parameters["format"], parameters["changed"]) == ("sleep", "json", "2026-11-27")


@respx.mock
def test_a_record_without_an_id_fails_alone(walks: ListedSource) -> None:
    respx.get("https://walks.example/walks").respond(
        json={"data": {"items": [a_walk(None), a_walk(2), "no"]}}
    )
    items = list(walks.enumerate(REQUEST))
    assert [item.error_code for item in items] == ["MEDKG-202", None, "MEDKG-202"]


@pytest.mark.parametrize("answer", [{}, [], {"data": {}}, {"data": {"items": {}}}, {"data": [1]}])
@respx.mock
def test_an_answer_of_another_shape_says_so(walks: ListedSource, answer: object) -> None:
    respx.get("https://walks.example/walks").respond(json=answer)
    with pytest.raises(UnexpectedAnswerError, match="walks"):
        list(walks.enumerate(REQUEST))


@respx.mock
def test_a_token_that_is_refused_is_told_apart(walks: ListedSource) -> None:
    respx.get("https://walks.example/walks").respond(400)
    with pytest.raises(CursorRefusedError):
        list(walks.listing(REQUEST, TENANT, None, "old"))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("url: ftp://walks.example/a", r"walks.yaml:3: .*url"),
        ("paging: {kind: guess}", r"walks.yaml:\d+: .*paging"),
        ("colour: blue", r"walks.yaml:\d+: .*colour"),
    ],
)
def test_a_wrong_description_names_file_and_line(tmp_path: Path, damage: str, problem: str) -> None:
    folder = described(tmp_path, "https://walks.example", "none")
    lines = (folder / "walks.yaml").read_text().splitlines()
    name = damage.partition(":")[0]
    remaining = [line for line in lines if not line.startswith(f"{name}:")]
    remaining.insert(2, damage)
    (folder / "walks.yaml").write_text("\n".join(remaining))
    with (
        assembled(tmp_path, json_sources_dir=folder) as assembly,
        pytest.raises(ConfigurationError, match=problem),
    ):
        assert assembly.sources


def test_a_description_may_not_take_an_installed_sources_name(tmp_path: Path) -> None:
    folder = described(tmp_path, "https://walks.example")
    text = (folder / "walks.yaml").read_text()
    (folder / "walks.yaml").write_text(text.replace("name: walks\n", "name: files\n"))
    with (
        assembled(tmp_path, json_sources_dir=folder) as assembly,
        pytest.raises(ConfigurationError, match="Rename"),
    ):
        assert assembly.sources
