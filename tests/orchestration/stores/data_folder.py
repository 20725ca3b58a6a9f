"""A data folder's ledger and stores as the tests here use them, and processes that write to it and may die.

`python -m tests.orchestration.stores.data_folder FOLDER index BOUNDARY` indexes a new version of document 1
and kills itself (kill -9) at a boundary of the dual write. `... FOLDER fill NAME COUNT` commits documents.
Stores are those of the pairing that MEDKG_TEST_PAIRING describes (JSON), else the embedded ones.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medkg.testing.builders import TENANT, a_context, a_document, chunks_of
from orchestration.contracts import (
    ChunkRef,
    Commit,
    CommitLog,
    DocumentStore,
    Extraction,
    Filters,
    Outcome,
    SearchStore,
    SparseVectors,
    VectorStore,
    values_of,
)
from orchestration.errors import InputUnreadableError
from orchestration.extraction.findings import Findings
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import (
    Chunk,
    Document,
    EmbeddingBatch,
    Float32Matrix,
    GraphWriteReceipt,
    IndexReceipt,
    Span,
    SparseMatrix,
    StageContext,
)
from orchestration.stores.dual_write import DualWrite
from orchestration.stores.faiss.object_vectors import ObjectVectors
from orchestration.stores.faiss.vectors import FaissVectors
from orchestration.stores.graph_write import GraphWrite
from orchestration.stores.objects.documents import ObjectDocuments
from orchestration.stores.objects.opening import open_objects
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch
from orchestration.stores.opensearch.vectors import OpenSearchVectors
from orchestration.stores.repair import Repair, Repaired
from orchestration.stores.restored_entries import Means
from orchestration.stores.sqlite.documents import SqliteDocuments
from orchestration.stores.sqlite.file import SqliteFile
from orchestration.stores.sqlite.search import SqliteSearch
from orchestration.stores.verify import Difference, Verification

WORDS = "beginnings@1"
VOCABULARY = 16_384
MODEL = "counted-letters@1"
"""An embedding with behaviour: words with the same letters are near."""


def encode(texts: Sequence[str]) -> Float32Matrix:
    """Unit vectors of letter counts, float32 [n, 26]."""
    counts = np.array(
        [[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts], np.float32
    )
    counts[:, 0] += 0.01  # no text is without a direction
    return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)


def embed(texts: Sequence[str]) -> tuple[Float32Matrix, str]:
    """The same with the model that made them."""
    return encode(texts), MODEL


def expand(texts: Sequence[str]) -> SparseVectors:
    """A weight of 1 for each first two letters of a word: words that begin alike are near."""
    rows = []
    for text in texts:
        terms = sorted({(ord(word[0]) * 128 + ord(word[1:2] or " ")) % VOCABULARY for word in text.split()})
        rows.append((np.array(terms, np.int32), np.ones(len(terms), np.float32)))
    return SparseVectors(WORDS, SparseMatrix.of_rows(rows, VOCABULARY))


# --- what a repair makes again ----------------------------------------------------------------------


def parsed(doc_id: str, body: str, version: str, tenant_id: str = TENANT) -> Document:
    """A document of two lines, which are its chunks."""
    document = a_document(doc_id, tenant_id=tenant_id, version=version, title=body)
    return document.model_copy(update={"text": f"{body}\n{body} again", "sections": ()})


def cut(document: Document) -> list[Chunk]:
    """A chunk for each line."""
    lines = document.text.splitlines()
    return chunks_of(*lines, doc_id=document.doc_id, version=document.version, tenant_id=document.tenant_id)


def cut_again(pipeline: str, documents: Sequence[Document]) -> list[Outcome[list[Chunk]]]:
    """The chunk stage of the only topology."""
    assert pipeline == "auto"
    return [cut(document) for document in documents]


def extracted_again(pipeline: str, documents: Sequence[Document]) -> list[Outcome[Extraction]]:
    """The extract stage of the only topology."""
    assert pipeline == "auto"
    return [first_word(document) for document in documents]


def first_word(document: Document) -> Extraction:
    """The first word as a mention, and what it claims of itself."""
    findings = Findings(document, "toy/1")
    word = findings.mention("Word", Span(start_char=0, end_char=len(document.text.split()[0])))
    findings.claim(word, "begins", word)
    return findings.extraction()


def fetched(source: Mapping[str, str], commits: Sequence[Commit]) -> list[Outcome[Document]]:
    """What a source has of documents, in the versions that are committed; an error for those it has not."""
    return [
        parsed(commit.key.doc_id, source[commit.key.doc_id], commit.version, commit.key.tenant_id)
        if commit.key.doc_id in source
        else InputUnreadableError(f"{commit.key.doc_id} is gone.")
        for commit in commits
    ]


@dataclass(frozen=True)
class Pairing:
    """Which stores a data folder has; those on OpenSearch under a prefix of the test's own.

    With `objects`, a URL, vectors of FAISS and documents are objects.
    """

    search: str = "sqlite"
    vectors: str = "faiss"
    url: str = ""
    prefix: str = ""
    objects: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that pass the pairing to a child process."""
        return {PAIRING: json.dumps(asdict(self))}

    @classmethod
    def of_environment(cls) -> Pairing:
        return cls(**json.loads(os.environ.get(PAIRING, "{}")))


PAIRING = "MEDKG_TEST_PAIRING"


@dataclass
class DataFolder:
    """Ledger, stores and dual write of one folder."""

    ledger: SqlLedger
    search: SearchStore
    vectors: VectorStore
    documents: DocumentStore
    index: DualWrite
    expects_graph: bool = False
    """Whether the topology fills the graph."""

    @property
    def log(self) -> CommitLog:
        return self.ledger.commits

    def stage(
        self, bodies: dict[str, str], version: str = "1", owner: str = "", tenant_id: str = TENANT
    ) -> list[tuple[StageContext, IndexReceipt]]:
        """Keep and stage documents of two chunks each; not visible yet."""
        items = []
        for doc_id, body in bodies.items():
            ctx = a_context(doc_id, source="files", version=version * 64, tenant_id=tenant_id)
            document = parsed(doc_id, body, ctx.version, tenant_id)
            self.documents.put([(ctx, document)])
            chunks = cut(document)
            vectors = encode([chunk.body for chunk in chunks])
            models = {"dense": MODEL, "sparse": WORDS}
            terms = expand([chunk.body for chunk in chunks]).rows
            items.append((ctx, EmbeddingBatch(tuple(chunks), vectors, terms, models)))
        receipts = values_of(self.index.stage(tenant_id, owner or own_identity(), items))
        return [(ctx, receipt) for (ctx, _), receipt in zip(items, receipts, strict=True)]

    def commit(self, staged: Sequence[tuple[StageContext, IndexReceipt]]) -> list[Commit]:
        """Make them visible; what they superseded."""
        return self.log.commit([Commit.of(ctx, receipt) for ctx, receipt in staged])

    def ingest(self, bodies: dict[str, str], version: str = "1", tenant_id: str = TENANT) -> None:
        """Stage, commit and clean."""
        self.index.clean(self.commit(self.stage(bodies, version, tenant_id=tenant_id)))

    def ingest_with_graph(self, bodies: dict[str, str], version: str = "1") -> None:
        """Stage entries, mentions and claims, commit and clean."""
        staged = self.stage(bodies, version)
        receipts = self.stage_graph(bodies, version)
        commits = [
            Commit.of(ctx, receipt, graph) for (ctx, receipt), graph in zip(staged, receipts, strict=True)
        ]
        self.index.clean(self.log.commit(commits))

    def stage_graph(
        self, bodies: dict[str, str], version: str = "1", owner: str | None = None
    ) -> list[GraphWriteReceipt]:
        """Write the mentions and claims of documents under an intent."""
        items = []
        for doc_id, body in bodies.items():
            ctx = a_context(doc_id, source="files", version=version * 64)
            items.append((ctx, first_word(parsed(doc_id, body, ctx.version, TENANT))))
        return values_of(self.graph_writer.stage(TENANT, owner or own_identity(), items))

    @property
    def graph_writer(self) -> GraphWrite:
        return GraphWrite(self.log, self.ledger.graph, self.documents)

    def claims(self) -> list[tuple[str, str]]:
        """Document and subject of every visible claim."""
        return [(each.key.doc_id, each.subject.name) for each in self.ledger.graph.statements(TENANT)]

    def verification(self, alive: Callable[[str], bool] = is_alive) -> Verification:
        stores = self.search, self.vectors, self.documents, self.ledger.graph
        return Verification(self.log, *stores, alive, lambda _: self.expects_graph)

    def repair(
        self,
        *,
        delete: bool = False,
        embed: Callable[[Sequence[str]], tuple[Float32Matrix, str]] = embed,
        source: Mapping[str, str] | None = None,
        alive: Callable[[str], bool] = is_alive,
    ) -> Repaired:
        """Repair as `medkg verify --repair` does, `delete`: with --yes; `source` has bodies by document."""
        fetch = partial(fetched, source or {})
        means = Means(
            embed, expand, cut_again, fetch, extracted_again, lambda commit: True, lambda commit: ("p1", "g2")
        )
        stores = self.search, self.vectors, self.documents
        check = self.verification(alive)
        repair = Repair(self.ledger, stores, self.index, self.graph_writer, check, means)
        count = repair.restore_commits(TENANT, [MODEL], lambda fingerprint, model: None, "restored")
        done = repair.repair(TENANT, delete=delete)
        done.note("ledger", count)
        return done

    def differences(self, alive: Callable[[str], bool] = is_alive) -> list[tuple[str, str, str]]:
        return [_as_tuple(difference) for difference in self.verification(alive).differences(TENANT)]

    def visible(self, query: str, tenant_id: str = TENANT) -> tuple[list[str], list[str]]:
        """Bodies that readers find by words and by meaning, sorted."""
        intents = {commit.key: commit.intent_id for commit in self.log.committed(tenant_id)}

        def seen(ref: ChunkRef) -> bool:
            return intents.get(ref.key) == ref.intent_id

        vector = encode([query])[0]
        by_words = self.search.bm25(tenant_id, query, 100, Filters(), seen)
        by_meaning = self.vectors.search(tenant_id, MODEL, vector, 100, Filters(), seen)
        return self._bodies(tenant_id, by_words), self._bodies(tenant_id, by_meaning)

    def _bodies(self, tenant_id: str, candidates: Sequence[Any]) -> list[str]:
        chunks = self.search.chunks(tenant_id, [candidate.ref for candidate in candidates])
        return sorted(chunk.body for chunk in chunks if chunk is not None)


@contextmanager
def opened(
    folder: Path, search: type[SqliteSearch] = SqliteSearch, pairing: Pairing | None = None
) -> Iterator[DataFolder]:
    pairing = pairing or Pairing.of_environment()
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    documents = (
        ObjectDocuments(open_objects(pairing.objects))
        if pairing.objects
        else SqliteDocuments(folder / "documents.sqlite")
    )
    with ExitStack() as stack:
        stack.callback(ledger.close)
        stack.callback(documents.close)
        connection = Connection(pairing.url) if pairing.url else None
        if connection is not None:
            stack.callback(connection.close)
        stores = _search(folder, search, pairing, connection), _vectors(folder, pairing, connection)
        stack.callback(stores[0].close)
        yield DataFolder(
            ledger, *stores, documents, DualWrite(ledger.commits, *stores, documents, ledger.graph)
        )


def _search(
    folder: Path, embedded: type[SqliteSearch], pairing: Pairing, connection: Connection | None
) -> SqliteSearch | OpenSearchSearch:
    if pairing.search == "sqlite":
        return embedded(folder / "search")
    assert connection is not None
    return OpenSearchSearch(connection, pairing.prefix)


def _vectors(folder: Path, pairing: Pairing, connection: Connection | None) -> VectorStore:
    if pairing.objects:
        return ObjectVectors(open_objects(pairing.objects), folder / "cache")
    if pairing.vectors == "faiss":
        return FaissVectors(folder / "vectors")
    assert connection is not None
    return OpenSearchVectors(connection, pairing.prefix)


def _as_tuple(difference: Difference) -> tuple[str, str, str]:
    return difference.key.doc_id, difference.store, difference.kind


# --- what readers find ------------------------------------------------------------------------------

OLD = ["walking", "walking again"]
NEW = ["walking fast", "walking fast again", "walking home", "walking home again"]


def found(data: DataFolder) -> list[str]:
    """What readers find about walking; by words and by meaning it must be the same."""
    by_words, by_meaning = data.visible("walking")
    assert by_words == [body for body in by_meaning if "walking" in body]
    return by_words


def check_death(data: DataFolder, boundary: str, index_and_be_killed: Callable[[], int]) -> None:
    """A writer that is killed leaves the old or the new version whole, and the next one its own."""
    data.ingest({"1": "walking", "2": "sleeping"})
    assert index_and_be_killed() == -signal.SIGKILL

    whole = NEW if BOUNDARIES.index(boundary) >= COMMITTED_FROM else OLD
    assert found(data) == whole

    data.index.recover(is_alive)
    assert found(data) == whole
    assert data.differences() == []

    data.ingest({"1": "walking fast", "3": "walking home"}, version="2")
    data.index.recover(is_alive)
    assert found(data) == NEW
    assert data.differences() == []
    assert data.visible("sleeping")[0] == ["sleeping", "sleeping again"]


# --- dying ------------------------------------------------------------------------------------------


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesInTheTransaction(SqliteSearch):
    """Kills its process when rows are written but not yet committed."""

    def _file(self, tenant_id: str) -> SqliteFile:
        file = super()._file(tenant_id)
        file.__class__ = _DiesBeforeCommit
        return file


class _DiesBeforeCommit(SqliteFile):
    @contextmanager
    def writing(self) -> Iterator[Any]:
        with super().writing() as connection:
            yield connection
            die()


def die_at_rename(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: the vectors are on disk under their temporary name."""
    if event == "os.rename" and ".partial" in str(arguments[0]):
        die()


def dying_half_way(bulk: Callable[..., Any]) -> Callable[..., Any]:
    """Of a bulk write to OpenSearch, the first half arrives."""

    def call(actions: Sequence[dict[str, Any]]) -> None:
        bulk(actions[: len(actions) // 2])
        die()

    return call


def dying_after(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        method(*arguments)
        die()

    return call


BOUNDARIES = (
    "after the intent",
    "inside the search write",
    "after the search rows",
    "inside the vector write",
    "after the vectors",
    "before the commit",
    "after the commit",
    "after cleaning the search rows",
    "after cleaning the vectors",
    "after the cleaning",
)
COMMITTED_FROM = BOUNDARIES.index("after the commit")


def index_and_die(folder: Path, boundary: str) -> None:
    """Index version 2 of document 1 with a new document 3, and die on the way."""
    search = DiesInTheTransaction if boundary == "inside the search write" else SqliteSearch
    pairing = Pairing.of_environment()
    with opened(folder, search, pairing) as data:
        index: Any = data.index
        if boundary == "after the intent":
            index._search.write = lambda *_: die()
        elif boundary == "after the search rows":
            index._search.write = dying_after(index._search.write)
        elif boundary == "inside the search write" and pairing.search == "opensearch":
            index._search._connection = _half(index._search._connection)
        elif boundary == "inside the vector write" and pairing.vectors == "opensearch":
            index._vectors._connection = _half(index._vectors._connection)
        elif boundary == "inside the vector write" and pairing.objects:
            index._vectors._objects.put = dying_after(index._vectors._objects.put)
        elif boundary == "inside the vector write":
            sys.addaudithook(die_at_rename)
        elif boundary == "after the vectors":
            index._vectors.write = dying_after(index._vectors.write)
        elif boundary == "after cleaning the search rows":
            index._search.discard = dying_after(index._search.discard)
        elif boundary == "after cleaning the vectors":
            index._vectors.discard = dying_after(index._vectors.discard)
        staged = data.stage({"1": "walking fast", "3": "walking home"}, version="2")
        if boundary == "before the commit":
            die()
        superseded = data.commit(staged)
        if boundary == "after the commit":
            die()
        data.index.clean(superseded)
        die()


def _half(connection: Any) -> Any:
    """A connection whose bulk writes interrupt half way."""
    broken = copy(connection)
    broken.bulk = dying_half_way(connection.bulk)
    return broken


def fill(folder: Path, name: str, count: int) -> None:
    """Ingest documents one intent each, every third of them twice."""
    with opened(folder) as data:
        for number in range(count):
            data.ingest({f"{name}-{number}": f"walking {name} {number}"})
            if number % 3 == 0:
                data.ingest({f"{name}-{number}": f"walking {name} {number} revised"}, version="2")


if __name__ == "__main__":
    place, deed, *rest = sys.argv[1:]
    if deed == "index":
        index_and_die(Path(place), rest[0])
    else:
        fill(Path(place), rest[0], int(rest[1]))
