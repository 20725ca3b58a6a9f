"""What every case is given: documents, a profile, a started plane, and where to put things."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.plane import RayPlane, start_plane
from gpu_actors.profiles import Profile, find_model

from .data.texts import texts_of

__all__ = ["TIMEOUT", "Bench"]

TIMEOUT = 300.0
"""Seconds that a micro-batch may take while it is measured."""


@dataclass
class Bench:
    """One run of the suite; its parts are made when a case first asks for them."""

    profile: Profile
    path: Path
    limit: int
    rounds: int
    seed: int
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="medkg-bench-")))

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        model = find_model(self.profile.embedding_model)
        return TextTokenizer(model.files, model.token_limit(self.profile.max_tokens))

    @cached_property
    def texts(self) -> Sequence[str]:
        """Texts that the dense model takes whole, at most `limit`: documents, or sections of long ones."""
        return list(islice(texts_of(self.path, self._fits), self.limit))

    def _fits(self, text: str) -> bool:
        return self.tokenizer.too_long(self.tokenizer.token_ids([text])[0]) is None

    @cached_property
    def plane(self) -> RayPlane:
        folder = Path(tempfile.mkdtemp(prefix="medkg-b-"))
        return start_plane(self.profile, folder=folder, dashboard=False)

    def close(self) -> None:
        """End the plane, if a case started it."""
        if "plane" in vars(self):
            self.plane.close()
            del self.plane
