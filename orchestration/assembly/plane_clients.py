"""Clients of models: those of this process, and the plane as a window worker reaches it.

Comes in: settings and a profile. Leaves: contracts.TextModels and contracts.Plane. The plane is connected
when a stage first needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from orchestration.contracts import (
    EffectStatement,
    Outcome,
    PlaneUse,
    ReadDirection,
    SparseVectors,
    TaggedText,
    TextTagger,
    TextToTag,
    Vectors,
)
from orchestration.jobs.host_client import HostClient, guard_ray
from orchestration.records import Chunk, Document, Float32Matrix
from orchestration.settings import Settings

if TYPE_CHECKING:
    from gpu_actors.plane import LocalModels, Profile, RayPlane

__all__ = ["AttachedPlane", "AvailableTagger", "OwnModels"]


class OwnModels:
    """TextModels in this process: those of `legs` are loaded now, the others when they are first used."""

    def __init__(self, profile: Profile, legs: Collection[str]) -> None:
        from gpu_actors import plane

        self._ids, self._rerank_model = plane.model_ids(profile), plane.rerank_model_id(profile)
        self._local = plane.LocalModels(profile)
        self._local.warm_up(legs)

    def model_ids(self) -> Mapping[str, str]:
        return self._ids

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        return self._local.embed_texts(texts), self._ids["dense"]

    def embed_queries(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        return self._local.embed_queries(texts), self._ids["dense"]

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseVectors:
        return SparseVectors(self._ids["sparse"], self._local.encode_sparse_texts(texts))

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseVectors:
        return SparseVectors(self._ids["sparse"], self._local.encode_sparse_queries(texts))

    def rerank_model(self) -> str | None:
        return self._rerank_model

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._local.rerank(question, passages)

    def close(self) -> None:
        self._local.close()


class AvailableTagger:
    """TextTagger outside of runs: the running plane's, else one in this process, loaded at the first call."""

    def __init__(self, settings: Settings, profile: Profile, plane: TextTagger) -> None:
        self._settings = settings
        self._profile = profile
        self._plane = plane
        self._own: LocalModels | None = None
        self._lock = threading.Lock()

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        """Texts with their mentions; in this process without a time-out."""
        with self._lock:
            return self._tagger().tag(texts, timeout_seconds)

    @property
    def reads_directions(self) -> bool:
        """Whether the model reads directions."""
        with self._lock:
            return self._tagger().reads_directions

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        """What the evidence of each statement says; in this process without a time-out."""
        with self._lock:
            return self._tagger().directions(statements, timeout_seconds)

    def _tagger(self) -> TextTagger:
        if self._own is None:
            host = HostClient(self._settings)
            if host.is_running() and host.status().plane == "ready":
                return self._plane
            from gpu_actors.plane import LocalModels

            self._own = LocalModels(self._profile)
        return self._own


class AttachedPlane:
    """The plane as a window worker uses it: it connects through the host when a stage first needs it."""

    def __init__(self, settings: Settings, profile: Profile) -> None:
        self._settings = settings
        self._profile = profile
        self._connected: RayPlane | None = None
        self._lock = threading.Lock()

    @property
    def profile(self) -> str:
        return self._settings.profile

    @property
    def model_ids(self) -> Mapping[str, str]:
        return self._attached().model_ids

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document; raises PlaneUnavailableError while the plane starts."""
        return self._attached().chunk(documents, profiles, timeout_seconds)

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Vectors of the texts; raises PlaneUnavailableError while the plane starts."""
        return self._attached().embed(texts, timeout_seconds)

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        """Texts with their mentions; raises PlaneUnavailableError while the plane starts."""
        return self._attached().tag(texts, timeout_seconds)

    @property
    def reads_directions(self) -> bool:
        """Whether the model reads directions; raises PlaneUnavailableError while the plane starts."""
        return self._attached().reads_directions

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        """What the evidence of each statement says; raises PlaneUnavailableError while the plane starts."""
        return self._attached().directions(statements, timeout_seconds)

    def use(self) -> PlaneUse:
        """Cost of this client's calls so far."""
        connected = self._connected
        return connected.use() if connected is not None else PlaneUse({}, 0, 0.0)

    def _attached(self) -> RayPlane:
        with self._lock:
            if self._connected is None:
                guard_ray(self._settings)
                from gpu_actors.plane import connect_plane

                address = self._settings.ray_address or HostClient(self._settings).plane_address()
                self._connected = connect_plane(self._profile, address=address)
            return self._connected
