"""The chunker in this process, for commands that cut documents again without a plane.

Comes in: documents and chunk profiles. Leaves: the chunks that the plane cuts with the same model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from gpu_actors.chunking.chunk_profiles import is_semantic
from gpu_actors.profiles import Profile, find_model
from orchestration.contracts import Outcome
from orchestration.errors import MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix

if TYPE_CHECKING:
    from gpu_actors.chunking.document_chunker import DocumentChunker

__all__ = ["LocalChunker"]

NO_VECTORS: Final = np.zeros((0, 0), dtype=np.float32)


class LocalChunker:
    """Cuts documents one by one; its tokenizer is loaded by the first call."""

    def __init__(self, profile: Profile, embed: Callable[[Sequence[str]], Float32Matrix]) -> None:
        """`embed` makes unit vectors, float32 [n, d]; called for semantic chunk profiles only."""
        self._profile = profile
        self._embed = embed

    @cached_property
    def _chunker(self) -> DocumentChunker:
        from gpu_actors.chunking.document_chunker import DocumentChunker

        model = find_model(self._profile.embedding_model)
        return DocumentChunker(model.files, model.token_limit(self._profile.max_tokens))

    def chunk(self, documents: Sequence[Document], profiles: Sequence[str]) -> list[Outcome[list[Chunk]]]:
        """Return the chunks of each document under its chunk profile, in order."""
        return [self._chunks(*pair) for pair in zip(documents, profiles, strict=True)]

    def _chunks(self, document: Document, profile: str) -> Outcome[list[Chunk]]:
        try:
            vectors = None
            if is_semantic(profile):
                groups = self._chunker.sentence_groups(document, profile)
                vectors = self._embed(groups) if groups else NO_VECTORS
            return self._chunker.chunk(document, profile, vectors)
        except MedkgError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one document's error must not fail the others
            return StageFailedError(
                f"{document.doc_id}: the chunker raised {type(error).__name__}: {error}. Please report it."
            )
