"""A chunk collection over a test's data folder, with models that count letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from medkg.testing.builders import TENANT
from orchestration.collection.chunk_collection import ChunkCollection
from orchestration.collection.chunk_vectors import ChunkVectors
from orchestration.collection.direct_writes import DirectWrites
from orchestration.contracts import SparseVectors
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import Float32Matrix
from tests.orchestration.stores.data_folder import MODEL, WORDS, DataFolder, encode, expand

ROOM = 200
"""Words that fit the model."""


class CountedLetters:
    """TextModels with behaviour; vectors may be wider than there are letters, with zeros."""

    def __init__(self, dimensions: int = 26) -> None:
        self._dimensions = dimensions
        self.embedded = 0

    def model_ids(self) -> Mapping[str, str]:
        return {"dense": MODEL, "sparse": WORDS}

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        for text in texts:
            if len(text.split()) > ROOM:
                raise EmbeddingInputTooLongError(f"a text of {len(text.split())} words does not fit")
        self.embedded += len(texts)
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        vectors[:, :26] = encode(texts)
        return vectors, MODEL

    def embed_queries(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        vectors[:, :26] = encode(texts)
        return vectors, MODEL

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseVectors:
        return expand(texts)

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseVectors:
        return expand(texts)

    def rerank_model(self) -> str | None:
        return None

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        raise ConfigurationError("models that count letters rerank nothing")

    def close(self) -> None:
        pass


def a_collection(
    data: DataFolder,
    models: CountedLetters | None = None,
    *,
    tenant_id: str = TENANT,
    sparse_off: str | None = None,
) -> ChunkCollection:
    chosen = models or CountedLetters()
    owner = own_identity()
    writes = DirectWrites(tenant_id, "haystack", data.ledger, data.documents, data.index, owner, is_alive)
    vectors = ChunkVectors(lambda: chosen, sparse_off)
    return ChunkCollection(tenant_id, data.ledger, data.search, data.documents, writes, vectors)
