"""How biomedical words meet in OpenSearch, and the user's synonyms."""

from __future__ import annotations

from pathlib import Path

import pytest

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite import ANY, everything, found, keyed
from orchestration.errors import ConfigurationError
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.synonyms import read_synonyms


@pytest.mark.needs_service("opensearch")
@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("TNF-\u03b1 rose", "TNF\u03b1"),
        ("TNF\u03b1 rose", "TNF-alpha"),
        ("TNF alpha rose", "\u03b1"),
        ("\u0392-blockers", "beta"),
        ("IL-6 fell", "IL6"),
        ("IL6 fell", "il-6"),
        ("interleukin-6", "interleukin"),
        ("aspirin 75mg daily", "75 mg"),
        ("aspirin 75 mg daily", "75mg"),
        ("25\u00b5g of vitamin D", "25 mcg"),
        ("25 \u03bcg of vitamin D", "mcg"),
        ("see NCT01234567.", "NCT 01234567"),
        ("see NCT-01234567.", "nct01234567"),
        ("Alzheimer's disease", "alzheimer"),
        ("HER2/neu positive", "her2"),
        ("COVID-19", "covid19"),
        ("p53-mutated tumours", "p53"),
        ("na\u00efve patients", "naive"),
        ("5-fluorouracil", "fluorouracil"),
    ],
)
def test_two_ways_to_write_one_thing_meet(connection: Connection, prefix: str, text: str, query: str) -> None:
    store = OpenSearchSearch(connection, prefix)
    other = chunks_of("walking improved sleep", doc_id="other")
    store.write(TENANT, "i1", keyed(chunks_of(text, doc_id="meant"), other), None)
    assert found(store.bm25(TENANT, query, 10, ANY, everything)) == ["meant"]


@pytest.mark.needs_service("opensearch")
def test_words_that_say_nothing_are_dropped_from_queries(connection: Connection, prefix: str) -> None:
    store = OpenSearchSearch(connection, prefix)
    chatty = chunks_of("what is it that they have been doing with the", doc_id="chatty")
    store.write(TENANT, "i1", keyed(chatty, chunks_of("aspirin", doc_id="meant")), None)
    assert found(store.bm25(TENANT, "What is the use of aspirin?", 10, ANY, everything)) == ["meant"]
    assert found(store.bm25(TENANT, "what is it?", 10, ANY, everything)) == ["chatty"]
    assert found(store.bm25(TENANT, "W\u0125\u00e1t", 10, ANY, everything)) == ["chatty"], (
        "folded, it is one of them"
    )


@pytest.mark.needs_service("opensearch")
def test_synonyms_widen_a_query_and_a_changed_file_moves_the_index(
    connection: Connection, prefix: str
) -> None:
    documents = keyed(
        chunks_of("myocardial infarction in adults", doc_id="named"),
        chunks_of("heart attack in adults", doc_id="plain"),
        chunks_of("attack rates of influenza", doc_id="other"),
    )
    before = OpenSearchSearch(connection, prefix)
    before.write(TENANT, "i1", documents, None)
    before.write(TENANT, "i2", keyed(chunks_of("to be removed", doc_id="gone")), None)
    assert found(before.bm25(TENANT, "heart attack", 10, ANY, everything)) == ["plain", "other"]

    after = OpenSearchSearch(connection, prefix, ["heart attack, myocardial infarction"])
    assert set(found(after.bm25(TENANT, "heart attack", 10, ANY, everything))) == {"named", "plain", "other"}
    assert found(after.bm25(TENANT, "heart attack", 1, ANY, everything)) == ["plain"]
    after.discard(TENANT, "i2", None)
    assert {holding.key.doc_id for holding in after.holdings(TENANT)} == {"named", "plain", "other"}
    indexes = connection.client.indices.get(index=f"{prefix}-chunks.*")
    assert len(indexes) == 1, "the previous index is gone"
    assert found(before.bm25(TENANT, "influenza", 10, ANY, everything)) == ["other"], "the alias has moved"


def test_a_synonyms_file_is_read_without_comments(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text("# ours\n\nheart attack, MI\nmi => myocardial infarction\n")
    assert read_synonyms(path) == ("heart attack, MI", "mi => myocardial infarction")
    assert read_synonyms(None) == ()


@pytest.mark.parametrize("line", ["a => b => c", "aspirin,", "=> b", " , "])
def test_a_rule_that_is_none_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text(f"heart attack, MI\n{line}\n")
    with pytest.raises(ConfigurationError, match="line 2"):
        read_synonyms(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_synonyms(tmp_path / "absent.txt")
