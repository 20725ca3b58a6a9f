"""Opened: an object over a data folder that a component opens on first use, closes, and opens again.

Comes in: data folder, tenant and profile; MEDKG_* variables supply what is not set. Leaves: the object that
`make` returns for the data folder, and the tenant.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

from orchestration.assembly import open_data_folder
from orchestration.operations.data_folder import DataFolder
from orchestration.settings import load_settings

__all__ = ["Opened"]

T = TypeVar("T")


class Opened(Generic[T]):
    """One object over a data folder; thread-safe."""

    def __init__(
        self,
        make: Callable[[DataFolder, ExitStack], T],
        data_dir: str | None,
        tenant_id: str | None,
        profile: str | None,
    ) -> None:
        """`make` returns the object, and pushes onto the stack what closes it."""
        self._make = make
        self._overrides = {"data_dir": data_dir, "tenant": tenant_id, "profile": profile}
        self._opened: tuple[T, str] | None = None
        self._closing = ExitStack()
        self._guard = threading.Lock()

    def __call__(self) -> tuple[T, str]:
        """The object, opened if necessary, and its tenant; raises ConfigurationError for invalid settings."""
        with self._guard:
            if self._opened is None:
                settings = load_settings(**self._overrides)
                with ExitStack() as opening:
                    data_folder = opening.enter_context(open_data_folder(settings))
                    self._opened = self._make(data_folder, opening), settings.tenant
                    self._closing = opening.pop_all()
            return self._opened

    def close(self) -> None:
        """Close the object if it is open; the next call opens it again. Idempotent."""
        with self._guard:
            self._opened = None
            self._closing.close()
