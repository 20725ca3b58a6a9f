"""How biomedical words meet in OpenSearch, and the user's synonyms."""

from __future__ import annotations

from pathlib import Path

import pytest

from medkg.testing.builders import TENANT, chunks_of
from medkg.testing.search_store_suite.builders import ANY, everything, found, keyed
from orchestration.errors import ConfigurationError
from orchestration.stores.opensearch import search
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.synonyms import read_synonyms


@pytest.mark.needs_service("opensearch")
@pytest.mark.parametrize("query", ["TNF-\u03b1", "tnf-alpha", "IL6", "75mg", "NCT 01234567", "na\u00efve"])
def test_queries_of_other_tools_find_words_too(connection: Connection, prefix: str, query: str) -> None:
    store = OpenSearchSearch(connection, prefix)
    meant = chunks_of("TNF\u03b1 and IL-6 in naive patients of NCT01234567 on 75 mg", doc_id="meant")
    store.write(TENANT, "i1", keyed(meant, chunks_of("walking", doc_id="other")), None)
    body = {"query": {"match": {"body_words": query}}}
    with connection.errors_named() as client:
        hits = client.search(index=f"{prefix}-chunks.*", body=body)["hits"]["hits"]
    assert [hit["_source"]["doc_id"] for hit in hits] == ["meant"]
    assert {"body_words", "title_words"}.isdisjoint(hits[0]["_source"]), "words are not kept twice"


@pytest.mark.needs_service("opensearch")
def test_an_index_of_an_earlier_medkg_is_made_again_at_its_first_use(
    connection: Connection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ANALYSIS_VERSION", 0)
    monkeypatch.setattr(search, "indexed_words", str.lower)
    before = OpenSearchSearch(connection, prefix)
    before.write(TENANT, "i1", keyed(chunks_of("PaO\u2082 fell", doc_id="meant", title="\ufb01brosis")), None)
    assert before.bm25(TENANT, "PaO2", 10, ANY, everything) == []
    monkeypatch.undo()
    after = OpenSearchSearch(connection, prefix)
    assert found(after.bm25(TENANT, "PaO2", 10, ANY, everything)) == ["meant"]
    assert found(after.bm25(TENANT, "fibrosis", 10, ANY, everything)) == ["meant"]
    assert len(connection.client.indices.get(index=f"{prefix}-chunks.*")) == 1


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


@pytest.mark.needs_service("opensearch")
def test_synonyms_are_written_as_people_write(connection: Connection, prefix: str) -> None:
    rules = ["IL-6, interleukin 6", "TNF-\u03b1 => cachectin", "\u7cd6\u5c3f\u75c5, diabetes"]
    store = OpenSearchSearch(connection, prefix, rules)
    documents = [chunks_of("interleukin 6 fell", doc_id="il"), chunks_of("cachectin", doc_id="tnf")]
    store.write(TENANT, "i1", keyed(*documents, chunks_of("diabetes", doc_id="dm")), None)
    assert found(store.bm25(TENANT, "IL\u20116", 10, ANY, everything))[0] == "il"
    assert found(store.bm25(TENANT, "TNF alpha", 10, ANY, everything)) == ["tnf"]
    assert found(store.bm25(TENANT, "\u7cd6\u5c3f\u75c5", 10, ANY, everything)) == ["dm"]


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
