"""Text models that an operation loads once, when it first needs them, and frees at its end.

Comes in: a way to load models. Leaves: those models, the same for every caller and thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from orchestration.contracts import TextModels

__all__ = ["LazyModels"]


class LazyModels:
    """Models that are loaded by the first call; thread-safe. A context manager that frees them."""

    def __init__(self, load: Callable[[], TextModels]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._models: TextModels | None = None

    def __call__(self) -> TextModels:
        """Return the models; the first call loads them and raises what `load` raises."""
        with self._lock:
            if self._models is None:
                self._models = self._load()
            return self._models

    def close(self) -> None:
        """Free the models if they are loaded; the next call loads them again. Idempotent."""
        with self._lock:
            if self._models is not None:
                self._models.close()
                self._models = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
