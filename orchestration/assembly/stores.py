"""What keeps things: ledger, objects, search index, vectors, documents, as the settings choose them.

Comes in: settings. Leaves: stores, each opened when it is first asked for, and checked to be those that the
data folder began with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import ObjectStore, VectorStore
from orchestration.errors import ConfigurationError
from orchestration.ledger import SqlLedger, ledger_damage, open_ledger, set_ledger_aside
from orchestration.operations.backup.restore_marker import MARK as RESTORING
from orchestration.operations.parts import Stores
from orchestration.records import DocumentKey
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.stores.dual_write import DualWrite
    from orchestration.stores.graph_write import GraphWrite
    from orchestration.stores.opensearch.connection import Connection

__all__ = ["AssembledStores"]

NO_INTENT: Final = "doctor"
"""An id that no intent has."""


class AssembledStores:
    """Stores of one data folder."""

    settings: Settings

    @cached_property
    def ledger(self) -> SqlLedger:
        return open_ledger(self.settings.ledger_url, self.settings.lease_seconds)

    @cached_property
    def opensearch(self) -> Connection:
        """The cluster; raises ConfigurationError when none is named."""
        from orchestration.stores.opensearch.connection import Connection

        if self.settings.opensearch_url is None:
            raise ConfigurationError(
                "a store is to be on OpenSearch, and no server is named. Set MEDKG_OPENSEARCH_URL to "
                "http(s)://[USER:PASSWORD@]HOST:PORT."
            )
        return Connection(self.settings.opensearch_url)

    @cached_property
    def search_store(self) -> Any:
        if self.settings.search_store == "opensearch":
            from orchestration.stores.opensearch.search import OpenSearchSearch
            from orchestration.stores.opensearch.synonyms import read_synonyms

            synonyms = read_synonyms(self.settings.opensearch_synonyms)
            return OpenSearchSearch(
                self.opensearch,
                self.settings.opensearch_prefix,
                synonyms,
                self.settings.opensearch_shards,
                self.settings.opensearch_replicas,
            )
        from orchestration.stores.sqlite.search import SqliteSearch

        return SqliteSearch(self.settings.search_dir)

    @cached_property
    def vector_store(self) -> VectorStore:
        if self.settings.vector_store == "opensearch":
            from orchestration.stores.opensearch.vectors import OpenSearchVectors

            return OpenSearchVectors(
                self.opensearch,
                self.settings.opensearch_prefix,
                self.settings.opensearch_shards,
                self.settings.opensearch_replicas,
            )
        if self.settings.objects_on_s3:
            from orchestration.stores.faiss.object_vectors import ObjectVectors

            return ObjectVectors(self.objects, self.settings.vectors_cache)
        from orchestration.stores.faiss.vectors import FaissVectors

        return FaissVectors(self.settings.vectors_dir)

    @cached_property
    def document_store(self) -> Any:
        if self.settings.objects_on_s3:
            from orchestration.stores.objects.documents import ObjectDocuments

            return ObjectDocuments(self.objects)
        from orchestration.stores.sqlite.documents import SqliteDocuments

        return SqliteDocuments(self.settings.documents_path)

    @cached_property
    def objects(self) -> ObjectStore:
        """Where artifacts are; and on S3 vectors, documents and run output."""
        from orchestration.stores.objects.opening import open_objects

        return open_objects(self.settings.objects_url)

    @cached_property
    def stores(self) -> Stores:
        from orchestration.stores.store_choice import FILE, check_stores

        settings = self.settings
        chosen: dict[str, str] = {
            "MEDKG_SEARCH_STORE": settings.search_store,
            "MEDKG_VECTOR_STORE": settings.vector_store,
        }
        if "opensearch" in chosen.values():
            chosen["MEDKG_OPENSEARCH_PREFIX"] = settings.opensearch_prefix
        if settings.objects_url != settings.data_dir.as_uri():
            chosen["MEDKG_OBJECTS_URL"] = settings.objects_url
        if not any((settings.data_dir / name).exists() for name in (FILE, RESTORING)):
            self._check_stores_hold(chosen)
        check_stores(settings.data_dir, chosen, self._shared(chosen))
        return Stores(self.search_store, self.vector_store, self.document_store)

    def _check_stores_hold(self, chosen: Mapping[str, str]) -> None:
        """Raise ConfigurationError if the stores that are set hold nothing of what the ledger names.

        With stores.json lost, settings that were forgotten would have the folder seem to be empty. Where the
        ledger names chunks, documents alone prove nothing: they are in the data folder whatever is set.
        """
        from orchestration.assembly.lost_ledger import stores_hold_documents, stores_hold_entries

        tenants = self.ledger.commits.tenants()
        stores = Stores(self.search_store, self.vector_store, self.document_store)
        names_chunks = any(
            commit.chunk_count for tenant in tenants for commit in self.ledger.commits.committed(tenant)
        )
        hold = stores_hold_entries if names_chunks else stores_hold_documents
        if not tenants or hold(stores, tenants):
            return
        settings = ", ".join(f"{name}={value}" for name, value in chosen.items())
        raise ConfigurationError(
            f"{self.settings.data_dir} has no stores.json, and the stores set now ({settings}) hold none "
            "of the documents that its ledger names. Set the stores that the folder was made with: "
            "MEDKG_SEARCH_STORE, MEDKG_VECTOR_STORE, MEDKG_OPENSEARCH_PREFIX, MEDKG_OBJECTS_URL."
        )

    def is_ledger_lost(self) -> bool:
        """Whether the ledger is empty and stores of this data folder hold documents."""
        from orchestration.assembly.lost_ledger import stores_hold_documents, was_used

        return (
            was_used(self.settings)
            and self.ledger.copies.is_empty()
            and stores_hold_documents(self.stores, [self.settings.tenant])
        )

    def ledger_damage(self) -> str | None:
        """What keeps the ledger's file from being read; None if it is sound, or in a database server."""
        return ledger_damage(self.settings.ledger_url)

    def set_ledger_aside(self) -> str:
        """Move the ledger's file out of the way, so that a new one is made; returns its new name."""
        vars(self).pop("ledger", None)
        return set_ledger_aside(self.settings.ledger_url)

    # --- whether they answer ------------------------------------------------------------------------

    def store_questions(self) -> dict[str, Callable[[], str]]:
        """By store: a call that asks it, changes nothing and returns where the store is."""
        return {
            "ledger": self._ask_ledger,
            "search store": self._ask_search,
            "vector store": self._ask_vectors,
            "document store": self._ask_documents,
            "object store": self._ask_objects,
        }

    def _ask_ledger(self) -> str:
        from orchestration.assembly.lost_ledger import check_ledger

        check_ledger(self)
        counts = self.ledger.documents.status_counts(self.settings.tenant)
        return f"{sum(counts.values())} documents in {self.ledger.name}"

    def _ask_search(self) -> str:
        if self.settings.search_store == "opensearch":
            return self._ask_opensearch()
        list(self.search_store.holdings(self.settings.tenant, NO_INTENT))
        return str(self.settings.search_dir)

    def _ask_vectors(self) -> str:
        if self.settings.vector_store == "opensearch":
            return self._ask_opensearch()
        list(self.vector_store.holdings(self.settings.tenant, NO_INTENT))
        return self.objects.name if self.settings.objects_on_s3 else str(self.settings.vectors_dir)

    def _ask_documents(self) -> str:
        key = DocumentKey(tenant_id=self.settings.tenant, source="doctor", doc_id="doctor")
        self.document_store.get(key, NO_INTENT, NO_INTENT)
        return self.objects.name if self.settings.objects_on_s3 else str(self.settings.documents_path)

    def _ask_objects(self) -> str:
        self.objects.get("doctor")
        return self.objects.name

    def _ask_opensearch(self) -> str:
        self.opensearch.ask(self.settings.opensearch_prefix)
        return f"{self.opensearch.name}, indexes {self.settings.opensearch_prefix}-*"

    def _shared(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """Settings of stores outside of the data folder that a copy of it would share with its original.

        None where they hold everything, and the ledger that knows it is in one database for both.
        """
        settings = self.settings
        remote = {name: value for name, value in chosen.items() if value == "opensearch"}
        if settings.objects_on_s3:
            remote["MEDKG_OBJECTS_URL"] = settings.objects_url
        one_ledger = not settings.ledger_url.startswith("sqlite")
        if one_ledger and settings.objects_on_s3 and settings.search_store == "opensearch":
            return {}
        return {**remote, "MEDKG_LEDGER_URL": "PostgreSQL"} if one_ledger else remote

    @cached_property
    def index(self) -> DualWrite:
        from orchestration.stores.dual_write import DualWrite

        return DualWrite(
            self.ledger.commits,
            self.stores.search,
            self.stores.vectors,
            self.stores.documents,
            self.ledger.graph,
        )

    @cached_property
    def graph_writer(self) -> GraphWrite:
        from orchestration.stores.graph_write import GraphWrite

        return GraphWrite(self.ledger.commits, self.ledger.graph, self.stores.documents)
