"""HaystackIndexWriter: the last component of an indexing pipeline, which writes to medkg's index.

Comes in: Haystack documents. Leaves: the number of written documents, which every reader sees by then.
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
    """Haystack's DocumentWriter over a data folder, with its `run` and `run_async`.

        pipeline = Pipeline()
        pipeline.add_component("converter", TextFileToDocument())
        pipeline.add_component("writer", HaystackIndexWriter(data_dir=".medkg"))
        pipeline.connect("converter", "writer")
        pipeline.run({"converter": {"sources": ["abstract.txt"]}})

    Without `document_store` it opens its own store when it is first used. It can be serialised unless its
    store was passed a collection. A document that a store refuses (DocumentsRefusedError) fails the run after
    all others are written; a repeated run writes only what changed. To load it, Haystack needs
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
        """By default a document replaces the one with its id, as a repeated `medkg run` does.

        Raises UsageError for a store together with arguments that open one.
        """
        opens = (data_dir, tenant_id, profile)
        if document_store is not None and opens != (None, None, None):
            raise UsageError(
                "pass HaystackIndexWriter a document_store, or data_dir, tenant_id and profile to open one, "
                "not both."
            )
        self._own = document_store is None
        self._store = document_store or MedkgDocumentStore(*opens)
        DocumentWriter.__init__(self, self._store, policy)  # the decorator makes a new class: no super()

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component; raises SerializationError if its store was passed a collection."""
        store = self._store.settings if self._own else {"document_store": self._store}
        serialised: dict[str, Any] = default_to_dict(self, policy=self.policy.name, **store)
        return serialised

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HaystackIndexWriter:
        """The component that `to_dict` serialised; opens nothing yet."""
        parameters = {**data["init_parameters"]}
        if "policy" in parameters:
            parameters["policy"] = DuplicatePolicy[parameters["policy"]]
        writer: HaystackIndexWriter = default_from_dict(cls, {**data, "init_parameters": parameters})
        return writer

    def warm_up(self) -> None:
        """Open the data folder; models are loaded by the first write that needs them."""
        self._store.warm_up()
