"""Whatever happened to its documents, a graph is the one that the same documents make in an empty folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from medkg.testing.builders import TENANT
from tests.exhaustive import fewer
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.orchestration.runs.graph_history import (
    CONDITIONS,
    KEYS,
    RECORDS,
    VOCABULARIES,
    GraphHistory,
    opened_history,
)

INSOMNIA, APPLE, MALUS = CONDITIONS


def check_is_as_made_again(history: GraphHistory, folder: Path, ledger_url: str | None) -> None:
    """Everything that the folder has of the graph is what its documents make in an empty one."""
    assert history.windows.differences() == []
    again = history.made_again(folder / "again", ledger_url)
    try:
        changed, rebuilt = (
            each.whole_graph(folder / f"exports-{each is again}") for each in (history, again)
        )
        for name in rebuilt:
            assert changed[name] == rebuilt[name], name
        assert changed["orphans"] == []
        assert not any(each.windows.assembly.ledger.graph.recount(TENANT) for each in (history, again))
    finally:
        again.windows.close()


@pytest.mark.parametrize("database", BOTH_DATABASES)
def test_after_every_kind_of_change_the_graph_is_as_if_made_from_nothing(
    tmp_path: Path, database: str
) -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(own_schema()) if database == "postgresql" else None for _ in range(2)]
        history = stack.enter_context(opened_history(tmp_path / "here", urls[0], TENANT))
        for name in RECORDS:
            history.put(name, INSOMNIA)
        history.run()
        history.merge(KEYS[2], KEYS[4])  # Insomnia and Malus disorder
        history.put("trial-1.json", APPLE)
        history.put("article.xml", MALUS)
        history.run()
        history.extract_with("99")
        history.run()
        history.add_vocabulary("fruits")
        history.merge("MESH:D1", "MONDO:1")
        history.run()
        history.delete("notice.xml")
        history.delete("work.json", erase=True)
        history.put("trial-2.json", MALUS)
        history.run()
        history.undo(history.aliases()[0])
        history.put("notice.xml", APPLE)
        history.add_vocabulary("other fruits")
        history.run()
        assert {each.concept for each in history.windows.assembly.ledger.graph.concepts(TENANT)} >= {
            "MONDO:1"
        }
        check_is_as_made_again(history, tmp_path, urls[1])


def test_records_of_one_article_from_three_sources_are_one_publication(tmp_path: Path) -> None:
    with opened_history(tmp_path, None, TENANT) as history:
        for name in ("article.xml", "fulltext.xml", "work.json", "notice.xml", "trial-1.json"):
            history.put(name, INSOMNIA)
        history.run()
        ledger = history.windows.assembly.ledger
        keys = [commit.key for commit in ledger.commits.committed(TENANT)]
        publications = ledger.graph.publications(keys)
        assert {key.doc_id: first.doc_id for key, first in publications.items()} == {
            **dict.fromkeys(("W1", "PMC1234567", "10000001"), "W1"),
            "10000009": "10000009",
            "NCT00000001": "NCT00000001",
        }


NAMES, KEY = st.sampled_from(sorted(RECORDS)), st.sampled_from(KEYS)
CHANGE = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(CONDITIONS)),
    st.tuples(st.just("put"), NAMES, st.sampled_from(CONDITIONS)),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("erase"), NAMES),
    st.tuples(st.just("extractor"), st.sampled_from(["98", "99"])),
    st.tuples(st.just("vocabulary"), st.sampled_from([*VOCABULARIES, "none"])),
    st.tuples(st.just("merge"), KEY, KEY).filter(lambda change: change[1] != change[2]),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("run")),
)


def change(history: GraphHistory, kind: str, *arguments: object) -> None:
    match kind, *arguments:
        case "put", str(name), str(condition):
            history.put(name, condition)
        case (("delete" | "erase"), str(name)):
            history.delete(name, erase=kind == "erase")
        case "extractor", str(version):
            history.extract_with(version)
        case "vocabulary", str(name):
            history.remove_vocabulary() if name == "none" else history.add_vocabulary(name)
        case "merge", str(from_key), str(to_key):
            history.merge(from_key, to_key)
        case "undo", int(number):
            for alias in history.aliases()[number : number + 1]:
                history.undo(alias)
        case _:
            history.run()


@settings(
    max_examples=fewer(5, 150),
    deadline=None,
    derandomize=fewer(True, False),
    phases=fewer([Phase.explicit, Phase.generate], list(Phase)),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(CHANGE, min_size=6, max_size=14))
def test_after_any_changes_in_any_order_the_graph_is_as_if_made_from_nothing(
    changes: list[tuple[str, ...]],
) -> None:
    with TemporaryDirectory() as folder, opened_history(Path(folder) / "here", None, TENANT) as history:
        for name, condition in zip(sorted(RECORDS), CONDITIONS * 2, strict=True):
            history.put(name, condition)
        history.run()
        for each in changes:
            change(history, *each)
        history.run()
        check_is_as_made_again(history, Path(folder), None)
