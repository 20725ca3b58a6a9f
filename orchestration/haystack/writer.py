"""HaystackIndexWriter: the end of an indexing pipeline, which puts its documents into medkg's index.

Comes in: Haystack documents. Leaves: how many were written; they are visible to every reader then.
Source: https://docs.haystack.deepset.ai/docs/documentwriter
"""

from __future__ import annotations

from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy

from orchestration.errors import UsageError
from orchestration.haystack.document_store import MedkgDocumentStore

__all__ = ["HaystackIndexWriter"]


@component
class HaystackIndexWriter(DocumentWriter):
    """Haystack's DocumentWriter over a data folder; `run` and `run_async` are its own.

    Without `document_store` it has one of its own, opened when it is first used. It can be serialised unless
    its store was given a collection; Haystack loads it if told that it may:
    `Pipeline.loads(text, allowed_modules=["orchestration.*"])`.
    """

    def __init__(
        self,
        tenant_id: str | None = None,
        policy: DuplicatePolicy = DuplicatePolicy.OVERWRITE,
        *,
        data_dir: str | None = None,
        profile: str | None = None,
        document_store: MedkgDocumentStore | None = None,
    ) -> None:
        """By default what is written replaces what has the same id, as a repeated `medkg run` does.

        Raises UsageError for a store together with what opens one.
        """
        opens = (data_dir, tenant_id, profile)
        if document_store is not None and opens != (None, None, None):
            raise UsageError(
                "give HaystackIndexWriter a document_store, or data_dir, tenant_id and profile to open one, "
                "not both."
            )
        self._own = document_store is None
        self._store = document_store or MedkgDocumentStore(*opens)
        DocumentWriter.__init__(self, self._store, policy)  # the decorator makes a new class: no super()

    def to_dict(self) -> dict[str, Any]:
        """The component as Haystack keeps it."""
        store = self._store.settings if self._own else {"document_store": self._store}
        kept: dict[str, Any] = default_to_dict(self, policy=self.policy.name, **store)
        return kept

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HaystackIndexWriter:
        """The component that `to_dict` told; opens nothing yet."""
        given = {**data["init_parameters"]}
        if "policy" in given:
            given["policy"] = DuplicatePolicy[given["policy"]]
        made: HaystackIndexWriter = default_from_dict(cls, {**data, "init_parameters": given})
        return made

    def warm_up(self) -> None:
        """Open the data folder; models are loaded by the first write that needs them."""
        self._store.warm_up()
