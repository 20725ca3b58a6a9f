"""Whether a data folder has lost its ledger: an empty ledger beside stores that hold documents.

Comes in: settings and stores. Leaves: an error with the next step, instead of a folder that seems to be new.
A new folder opens nothing, and a folder in use pays one query.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from orchestration.errors import LedgerLostError
from orchestration.settings import Settings
from orchestration.stores.store_choice import FILE

if TYPE_CHECKING:
    from orchestration.operations.parts import Stores

__all__ = ["check_ledger", "stores_hold_documents", "stores_hold_entries", "was_used"]


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


def was_used(settings: Settings) -> bool:
    """Whether stores were ever opened in this data folder."""
    used = (settings.data_dir / FILE, settings.documents_path, settings.search_dir, settings.vectors_dir)
    return any(path.exists() for path in used)


def stores_hold_documents(stores: Stores, tenants: Iterable[str]) -> bool:
    """Whether the document store holds anything, or the others anything of these tenants."""
    return bool(stores.documents.tenants()) or stores_hold_entries(stores, tenants)


def stores_hold_entries(stores: Stores, tenants: Iterable[str]) -> bool:
    """Whether the search store or the vector store holds anything of these tenants."""
    return any(
        not stores.search.is_empty(tenant) or next(iter(stores.vectors.holdings(tenant)), None) is not None
        for tenant in tenants
    )
