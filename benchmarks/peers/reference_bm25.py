"""A reference for the BM25 legs: bm25s over the tokens that a store itself would make, as one more leg.

Comes in: visible chunks, and how the store tokenises. Leaves: a leg for `HybridSearch`, so that ranking by
document and measures are those of `medkg eval`, and nothing but the scores differs. k1 = 1.2 and b = .75, as
in FTS5 and Lucene.
Source: bm25s (Lu 2024, arXiv:2407.03618, https://github.com/xhluca/bm25s); FTS5's formula
https://www.sqlite.org/fts5.html#the_bm25_function; Lucene's: Kamphuis et al., ECIR 2020,
https://doi.org/10.1007/978-3-030-45442-5_4.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Literal

import bm25s
import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, ChunkRef, CommitLog, Filters, SearchStore, Visible
from orchestration.formats.match_expression import TOKENIZER, match_expression
from orchestration.formats.words import indexed_words, query_words
from orchestration.records import Chunk
from orchestration.stores.opensearch.analysis import WORDS_ANALYZER
from orchestration.stores.opensearch.connection import Connection

__all__ = ["ReferenceLeg", "opensearch_reference", "sqlite_reference", "visible_chunks"]

K1: Final = 1.2
B: Final = 0.75
TITLE_WEIGHT: Final = 0.5

Tokens = list[str]
Scores = npt.NDArray[np.float32]


class ReferenceLeg:
    """Chunks by the scores it is given a way to compute."""

    name = "reference"

    def __init__(self, refs: Sequence[ChunkRef], scores: Callable[[str], Scores]) -> None:
        """`scores`: of every chunk for a query, in the order of `refs`; 0 for none of its words."""
        self._refs = refs
        self._scores = scores

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best chunks, ties in the order of `refs`; knows no filters (ValueError)."""
        if filters.wanted or filters.days is not None:
            raise ValueError("the reference knows no filters")
        scores = self._scores(query)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Candidate(self._refs[place], float(scores[place])) for place in best if scores[place] > 0]


def visible_chunks(log: CommitLog, store: SearchStore, tenant_id: str) -> list[tuple[ChunkRef, Chunk]]:
    """Every chunk that a search of the tenant may find."""
    return [
        (ChunkRef(commit.key, commit.intent_id, chunk.chunk_id), chunk)
        for commit in log.committed(tenant_id)
        for chunk in store.document_chunks(commit.key, commit.intent_id)
    ]


def sqlite_reference(chunks: Sequence[tuple[ChunkRef, Chunk]]) -> ReferenceLeg:
    """Over FTS5's own tokens; its BM25 adds up a word's weighted hits in both columns before they saturate.

    bm25s counts words without weights. So the body is given twice, the titles once, and k1 is doubled: the
    quotient is the same as with weights of 1 and 0.5. A chunk's length then weighs its body twice, too, where
    FTS5 counts all words alike; that is the one difference between the two formulas.
    """
    bodies = fts5_tokens([indexed_words(chunk.body) for _, chunk in chunks])
    titles = fts5_tokens([indexed_words(" ".join(chunk.title_path)) for _, chunk in chunks])
    weighted = [body * 2 + title for body, title in zip(bodies, titles, strict=True)]
    scores = _scorer(weighted, "robertson", 2 * K1)

    def of_query(query: str) -> Scores:
        words = re.findall(r'"([^"]*)"', match_expression(query) or "")
        return scores([token for tokens in fts5_tokens(words) for token in tokens])

    return ReferenceLeg([ref for ref, _ in chunks], of_query)


def opensearch_reference(
    chunks: Sequence[tuple[ChunkRef, Chunk]], connection: Connection, index: str
) -> ReferenceLeg:
    """Over the index's own tokens (its _analyze API): BM25 of the body plus half of that of the titles.

    Lucene rounds lengths to eight bits, which bm25s does not.
    """
    analysed: dict[str, Tokens] = {}

    def tokens(words: str) -> Tokens:
        if words not in analysed:
            body = {"analyzer": WORDS_ANALYZER, "text": words}
            with connection.errors_named() as client:
                tokens = client.indices.analyze(index=index, body=body)["tokens"]
            analysed[words] = [token["token"] for token in tokens]
        return analysed[words]

    in_body = _scorer([tokens(indexed_words(chunk.body)) for _, chunk in chunks], "lucene", K1)
    titles = [tokens(indexed_words(" ".join(chunk.title_path))) for _, chunk in chunks]
    in_titles = _scorer(titles, "lucene", K1)

    def of_query(query: str) -> Scores:
        words = tokens(" ".join(query_words(query)))
        return in_body(words) + np.float32(TITLE_WEIGHT) * in_titles(words)

    return ReferenceLeg([ref for ref, _ in chunks], of_query)


def fts5_tokens(texts: Sequence[str]) -> list[Tokens]:
    """What FTS5 with the store's tokenizer makes of each text: repeats included, in alphabetical order."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(words, tokenize='{TOKENIZER}')")
        connection.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(texts, instance)")
        connection.executemany("INSERT INTO texts (rowid, words) VALUES (?, ?)", enumerate(texts))
        tokens_by_row: defaultdict[int, Tokens] = defaultdict(list)
        for row, token in connection.execute("SELECT doc, term FROM tokens"):
            tokens_by_row[row].append(token)
        return [tokens_by_row[row] for row in range(len(texts))]
    finally:
        connection.close()


def _scorer(
    corpus: Sequence[Tokens], method: Literal["lucene", "robertson"], k1: float
) -> Callable[[Sequence[str]], Scores]:
    """BM25 of every text for some words; repeated words count again."""
    index = bm25s.BM25(method=method, k1=k1, b=B)
    index.index(list(corpus), show_progress=False)

    def scores(words: Sequence[str]) -> Scores:
        known = index.get_tokens_ids(list(words))
        return np.asarray(index.get_scores_from_ids(known), dtype=np.float32)

    return scores
