"""What a component uses of a data folder: opened when it is first asked for, closed, and opened again.

Comes in: a data folder, tenant and profile, each of which MEDKG_* variables give if it is not set. Leaves:
what is made of the folder's control plane, and the tenant.
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
    """One thing over a data folder; thread-safe."""

    def __init__(
        self,
        make: Callable[[DataFolder, ExitStack], T],
        data_dir: str | None,
        tenant_id: str | None,
        profile: str | None,
    ) -> None:
        """`make` gives the thing, and the stack what ends it."""
        self._make = make
        self._given = {"data_dir": data_dir, "tenant": tenant_id, "profile": profile}
        self._made: tuple[T, str] | None = None
        self._ends = ExitStack()
        self._guard = threading.Lock()

    def __call__(self) -> tuple[T, str]:
        """The thing and its tenant; raises ConfigurationError for settings that are wrong."""
        with self._guard:
            if self._made is None:
                settings = load_settings(**self._given)
                with ExitStack() as opening:
                    data_folder = opening.enter_context(open_data_folder(settings))
                    self._made = self._make(data_folder, opening), settings.tenant
                    self._ends = opening.pop_all()
            return self._made

    def close(self) -> None:
        """Close what was opened, if it was; asked again, it is opened again."""
        with self._guard:
            self._made = None
            self._ends.close()
