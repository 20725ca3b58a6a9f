"""Whether a data folder has lost its ledger: an empty ledger beside stores that hold documents.

Comes in: settings and stores. Leaves: an error with the next step, instead of a folder that seems to be new.
Asked only while the ledger is empty, so a folder in use pays one query.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orchestration.errors import LedgerLostError
from orchestration.settings import Settings
from orchestration.stores.store_choice import FILE

if TYPE_CHECKING:
    from orchestration.operations.parts import Stores

__all__ = ["check_ledger", "stores_hold_documents"]


class _Folder(Protocol):
    """A data folder, as far as it is asked here."""

    @property
    def settings(self) -> Settings: ...
    def is_ledger_lost(self) -> bool: ...


def check_ledger(parts: _Folder) -> None:
    """Raise LedgerLostError if the stores hold documents that an empty ledger does not know."""
    if parts.is_ledger_lost():
        raise LedgerLostError(
            f"the ledger of {parts.settings.data_dir} is empty or gone, and its stores hold documents. Put a "
            "copy of the ledger back, or run `medkg verify --repair`, which makes it again from the stores."
        )


def stores_hold_documents(settings: Settings, stores: Callable[[], Stores]) -> bool:
    """Whether the folder was used before and its stores hold anything; a new folder opens no store."""
    used = (settings.data_dir / FILE, settings.documents_path, settings.search_dir, settings.vectors_dir)
    if not any(path.exists() for path in used):
        return False
    opened = stores()
    if opened.documents.tenants():
        return True
    return any(
        next(iter(store.holdings(settings.tenant)), None) is not None
        for store in (opened.search, opened.vectors)
    )
