"""The asynchronous methods of a document store: each runs in a thread and does not block the event loop.

Comes in: the arguments of the synchronous methods. Leaves: their results.
"""

from __future__ import annotations

from asyncio import to_thread
from typing import Any

from haystack import Document
from haystack.document_stores.types import DuplicatePolicy

__all__ = ["AsyncDocumentStore"]

Filter = dict[str, Any]


class AsyncDocumentStore:
    """`NAME_async` for each `NAME` of the store that derives from this; raises what that raises."""

    async def close_async(self) -> None:
        await self._in_thread("close")

    async def count_documents_async(self) -> int:
        return int(await self._in_thread("count_documents"))

    async def filter_documents_async(self, filters: Filter | None = None) -> list[Document]:
        documents: list[Document] = await self._in_thread("filter_documents", filters)
        return documents

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        return int(await self._in_thread("write_documents", documents, policy))

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        await self._in_thread("delete_documents", document_ids)

    async def delete_all_documents_async(self) -> None:
        await self._in_thread("delete_all_documents")

    async def delete_by_filter_async(self, filters: Filter) -> int:
        return int(await self._in_thread("delete_by_filter", filters))

    async def update_by_filter_async(self, filters: Filter, meta: dict[str, Any]) -> int:
        return int(await self._in_thread("update_by_filter", filters, meta))

    async def count_documents_by_filter_async(self, filters: Filter) -> int:
        return int(await self._in_thread("count_documents_by_filter", filters))

    async def count_unique_metadata_by_filter_async(
        self, filters: Filter, metadata_fields: list[str]
    ) -> dict[str, int]:
        counts: dict[str, int] = await self._in_thread(
            "count_unique_metadata_by_filter", filters, metadata_fields
        )
        return counts

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        info: dict[str, dict[str, str]] = await self._in_thread("get_metadata_fields_info")
        return info

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        value_range: dict[str, Any] = await self._in_thread("get_metadata_field_min_max", metadata_field)
        return value_range

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filter | None = None,
    ) -> tuple[list[Any], int]:
        values: tuple[list[Any], int] = await self._in_thread(
            "get_metadata_field_unique_values", metadata_field, search_term, from_, size, filters
        )
        return values

    async def _in_thread(self, name: str, *arguments: Any) -> Any:
        return await to_thread(getattr(self, name), *arguments)
