"""A Protocol is served and called with the types that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import pytest

from orchestration.contracts.host import seconds_to_answer
from orchestration.errors import HostUnavailableError, UsageError
from orchestration.processes.local_service import LocalClient, LocalService
from orchestration.processes.typed_service import typed_client, verbs_of
from orchestration.records import Record


class Colour(StrEnum):
    RED = "red"


class Point(Record):
    x: int
    y: int


class Drawing(Protocol):
    def move(self, point: Point, by: int = 1) -> Point: ...

    def colour(self) -> Colour: ...

    def points(self, count: int) -> list[Point]: ...

    def clear(self) -> None: ...

    @seconds_to_answer(0.2)
    def hang(self, seconds: float) -> None: ...


class Canvas(Drawing):
    def __init__(self) -> None:
        self.cleared = False

    def move(self, point: Point, by: int = 1) -> Point:
        if by == 0:
            raise UsageError("move by something")
        return Point(x=point.x + by, y=point.y)

    def colour(self) -> Colour:
        return Colour.RED

    def points(self, count: int) -> list[Point]:
        return [Point(x=number, y=0) for number in range(count)]

    def clear(self) -> None:
        self.cleared = True

    def hang(self, seconds: float) -> None:
        import threading

        threading.Event().wait(30)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


@pytest.fixture
def drawing(tmp_path: Path, canvas: Canvas) -> Iterator[Drawing]:
    with LocalService("drawing", tmp_path, verbs_of(Drawing, canvas)):  # type: ignore[type-abstract]
        yield typed_client(Drawing, LocalClient(tmp_path, "drawing"))  # type: ignore[type-abstract]


def test_records_enumerations_and_defaults_cross_the_socket(drawing: Drawing, canvas: Canvas) -> None:
    assert drawing.move(Point(x=1, y=2)) == Point(x=2, y=2)
    assert drawing.move(Point(x=1, y=2), by=5) == drawing.move(by=5, point=Point(x=1, y=2)) == Point(x=6, y=2)
    assert drawing.colour() is Colour.RED
    assert drawing.points(2) == [Point(x=0, y=0), Point(x=1, y=0)]
    drawing.clear()
    assert canvas.cleared


def test_errors_of_the_service_are_raised_as_their_own_class(drawing: Drawing) -> None:
    with pytest.raises(UsageError, match="move by something"):
        drawing.move(Point(x=1, y=2), by=0)


def test_calls_that_the_protocol_does_not_allow_are_refused_by_the_client(drawing: Drawing) -> None:
    with pytest.raises(TypeError):
        drawing.move()  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="Drawing has no verb 'erase'"):
        drawing.erase()  # type: ignore[attr-defined]


def test_a_client_waits_as_long_as_the_verb_declares_and_its_seconds_argument(drawing: Drawing) -> None:
    with pytest.raises(HostUnavailableError, match=r"did not answer 'hang' in 0\.3 s"):
        drawing.hang(0.1)


def test_a_client_may_wait_for_a_verb_otherwise(tmp_path: Path, canvas: Canvas) -> None:
    with LocalService("drawing", tmp_path, verbs_of(Drawing, canvas)):  # type: ignore[type-abstract]
        client = LocalClient(tmp_path, "drawing")
        hasty = typed_client(Drawing, client, {"hang": 0.1})  # type: ignore[type-abstract]
        with pytest.raises(HostUnavailableError, match=r"in 0\.1 s"):
            hasty.hang(0.0)
