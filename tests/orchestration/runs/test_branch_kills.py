"""A window that is killed (kill -9) leaves each branch as it was or as the window makes it, never half of it.

Windows that extract alone, that index alone, that index while extraction is outstanding, and that make up for
it: each is killed at every boundary, and the next run ends as if nothing had happened.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts import DocumentCounts
from orchestration.processes.child_process import is_alive
from tests.exhaustive import fewer
from tests.orchestration.postgresql import needs_postgresql, own_schema
from tests.orchestration.runs.window_folder import (
    COMMITTED,
    TOPOLOGY,
    TRIALS,
    WindowFolder,
    boundaries,
    opened,
    unavailable,
)

TO_GRAPH = boundaries(("ingest", "ir_validation", "extract", "kg"), "graph")
TO_INDEX = boundaries(("ingest", "ir_validation", "chunk", "embed", "index"), "index")
TO_INDEX_ALONE = boundaries(("ingest", "parse", "extract", "kg", "index"))
TO_OUTSTANDING_GRAPH = boundaries(("ingest", "ir_validation", "extract", "kg"))
OLD = {(doc_id, "Insomnia", "registry/old") for doc_id in TRIALS}
NEW = {(doc_id, "Insomnia", "registry/new") for doc_id in TRIALS}
ALL = len(TRIALS)


def killed(places: tuple[str, ...], *, some: bool = True) -> list[Any]:
    """Every boundary on both databases; of `some`, in `make test` those around the commit on SQLite alone."""
    around = (places[places.index(COMMITTED) - 2], "before the commit", COMMITTED)
    on_sqlite = fewer(around if some else places, places)
    on_postgresql = fewer(() if some else around[1:], places)
    return [
        *(pytest.param("sqlite", place, id=f"sqlite-{place}") for place in on_sqlite),
        *(
            pytest.param("postgresql", place, id=f"postgresql-{place}", marks=needs_postgresql)
            for place in on_postgresql
        ),
    ]


@pytest.fixture
def windows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MEDKG_UNAVAILABLE_SECONDS", "0")
    with ExitStack() as stack:
        url = stack.enter_context(own_schema()) if request.param == "postgresql" else None
        folder = stack.enter_context(opened(tmp_path, url))
        folder.versions["registry"] = "old"
        folder.reopen()
        yield folder


def killed_at(windows: WindowFolder, boundary: str, *extractor: str) -> int:
    """What a process ends with that runs what is pending, with this version and state of the extractor."""
    command = [sys.executable, "-m", "tests.orchestration.runs.window_folder", str(windows.folder), boundary]
    environment = {**os.environ, "MEDKG_LEDGER_URL": windows.settings.ledger_url}
    return subprocess.run([*command, *extractor], env=environment, check=False).returncode


def intents(windows: WindowFolder) -> tuple[dict[str, str], dict[str, str | None]]:
    """Those of the index and of the graph, by document."""
    both = windows.intents()
    return {key: index for key, (index, _) in both.items()}, {key: graph for key, (_, graph) in both.items()}


def is_committed(places: tuple[str, ...], boundary: str) -> bool:
    return places.index(boundary) >= places.index(COMMITTED)


def run_again(windows: WindowFolder, *, committed: bool) -> None:
    """The next run: it commits all, or skips what the killed process had committed."""
    outcome = {"skipped": ALL} if committed else {"committed": ALL}
    assert windows.run().documents == DocumentCounts(total=ALL, **outcome)
    assert windows.differences() == []


@pytest.mark.parametrize(("windows", "boundary"), killed(TO_GRAPH, some=False), indirect=["windows"])
def test_a_killed_window_that_extracts_leaves_the_graph_old_or_new(
    windows: WindowFolder, boundary: str
) -> None:
    windows.run()
    index, _ = intents(windows)
    assert killed_at(windows, boundary, "new") == -signal.SIGKILL
    windows.versions["registry"] = "new"
    windows.reopen()
    committed = is_committed(TO_GRAPH, boundary)
    assert windows.claims() == (NEW if committed else OLD)

    windows.assembly.index.recover(is_alive)
    assert windows.claims() == (NEW if committed else OLD)
    assert windows.differences() == []

    run_again(windows, committed=committed)
    assert (windows.claims(), intents(windows)[0], windows.plane.embedded) == (NEW, index, 0)


@pytest.mark.parametrize(("windows", "boundary"), killed(TO_INDEX), indirect=["windows"])
def test_a_killed_window_that_indexes_leaves_the_graph_and_the_index_old_or_new(
    windows: WindowFolder, boundary: str
) -> None:
    windows.run()
    index, graph = intents(windows)
    windows.edit(f"{TOPOLOGY}.yaml", "default: default", "default: guideline")
    assert killed_at(windows, boundary, "old") == -signal.SIGKILL
    windows.reopen()
    committed = is_committed(TO_INDEX, boundary)
    for step in (lambda: None, lambda: windows.assembly.index.recover(is_alive)):
        step()
        is_old = [index[doc_id] == intent for doc_id, intent in intents(windows)[0].items()]
        assert is_old == [not committed] * ALL
        assert (windows.claims(), intents(windows)[1]) == (OLD, graph)
    assert windows.differences() == []

    run_again(windows, committed=committed)
    assert (windows.claims(), intents(windows)[1], windows.extracted) == (OLD, graph, 0)


@pytest.mark.parametrize(("windows", "boundary"), killed(TO_INDEX_ALONE), indirect=["windows"])
def test_a_killed_window_whose_extraction_fails_leaves_all_or_nothing_indexed(
    windows: WindowFolder, boundary: str
) -> None:
    windows.optional_extraction()
    assert killed_at(windows, boundary, "old", "unavailable") == -signal.SIGKILL
    windows.fails = unavailable
    windows.reopen()
    committed = is_committed(TO_INDEX_ALONE, boundary)
    for step in (lambda: None, lambda: windows.assembly.index.recover(is_alive)):
        step()
        assert (len(windows.intents()), windows.claims()) == (ALL if committed else 0, set())
    assert windows.differences() == []

    windows.run()
    assert (windows.outstanding(), windows.claims()) == ({"extract": ALL}, set())
    windows.fails = lambda document: None
    windows.reopen()
    run_again(windows, committed=False)
    assert (windows.claims(), windows.outstanding(), windows.plane.embedded) == (OLD, {}, 0)


@pytest.mark.parametrize(("windows", "boundary"), killed(TO_OUTSTANDING_GRAPH), indirect=["windows"])
def test_a_killed_window_that_makes_up_for_extraction_leaves_it_as_it_was_or_done(
    windows: WindowFolder, boundary: str
) -> None:
    windows.optional_extraction()
    windows.fails = unavailable
    windows.run()
    index, _ = intents(windows)
    assert killed_at(windows, boundary, "old") == -signal.SIGKILL
    windows.fails = lambda document: None
    windows.reopen()
    committed = is_committed(TO_OUTSTANDING_GRAPH, boundary)
    windows.assembly.index.recover(is_alive)
    assert windows.claims() == (OLD if committed else set())
    assert windows.differences() == []

    run_again(windows, committed=committed)
    assert (windows.claims(), windows.outstanding(), intents(windows)[0]) == (OLD, {}, index)
    assert windows.plane.embedded == 0
