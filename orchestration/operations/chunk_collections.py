"""A tenant's chunks as a collection, over the parts of a data folder.

Comes in: the parts of a data folder. Leaves: a ChunkCollection whose models are loaded when a write needs
them.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestration.collection.chunk_collection import ChunkCollection
from orchestration.collection.chunk_vectors import ChunkVectors
from orchestration.collection.direct_writes import DirectWrites
from orchestration.operations.models import LazyModels
from orchestration.operations.parts import Parts
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.retrieval.legs import MODEL_LEGS

__all__ = ["open_chunk_collection"]


def open_chunk_collection(parts: Parts, pipeline_name: str, notify: Callable[[str], None]) -> ChunkCollection:
    """Open the collection; the caller closes it, which frees its models.

    `pipeline_name` is the pipeline that the ledger records for what is written.
    """
    tenant_id, stores = parts.settings.tenant, parts.stores
    writes = DirectWrites(
        tenant_id, pipeline_name, parts.ledger, stores.documents, parts.index, own_identity(), is_alive
    )
    models = LazyModels(lambda: parts.models(MODEL_LEGS, notify))
    vectors = ChunkVectors(models, parts.sparse_off())
    return ChunkCollection(
        tenant_id, parts.ledger, stores.search, stores.documents, writes, vectors, release=models.close
    )
