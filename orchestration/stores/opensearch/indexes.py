"""The indexes of tenants: their names, templates, aliases, and the switch to a new mapping.

An index is `PREFIX-KIND.TENANT.LAYOUT`, where LAYOUT is a hash of settings and mapping; it is made from a
template and read and written through its alias `PREFIX-KIND.TENANT`. When a new medkg (or another synonyms
file) brings another layout, `upgrade` copies beside the work that goes on and then switches the alias.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from opensearchpy.exceptions import NotFoundError, RequestError

from orchestration.batching import batched
from orchestration.errors import ConfigurationError, RequestRejectedError
from orchestration.stores.opensearch.connection import Connection

__all__ = ["Indexes", "index_part", "lost_shards", "name_of_part"]

LONGEST: Final = 80
COPIED_AT_ONCE: Final = 500
COPY_SECONDS: Final = 600.0
"""How long one request of a copy may take."""


def index_part(name: str) -> str:
    """A tenant's or model's name as part of an index name: no two share one, and none is a pattern.

    Index names are lower case and without most signs, so these become _CODE_. Raises ConfigurationError.
    """
    if not name:
        raise ConfigurationError("a store was asked without a tenant or model; name one.")
    escaped = re.sub(r"[^a-z0-9-]", lambda match: f"_{ord(match.group()):x}_", name)
    if len(escaped) <= LONGEST:
        return escaped
    return f"{escaped[:40]}__{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def name_of_part(part: str) -> str | None:
    """The tenant or model that is this part of an index name; None for one that was shortened."""
    name = re.sub(r"_([0-9a-f]+)_", lambda match: chr(int(match[1], 16)), part)
    return name if name and index_part(name) == part else None


def lost_shards(connection: Connection, index: str) -> str | None:
    """Why an index cannot answer for all it holds: its state is red; None if it can."""
    with connection.errors_named() as client:
        health = client.cluster.health(index=index)
    if health["status"] != "red":
        return None
    return f"index {index} of {connection.name} is red: it has lost {health['unassigned_shards']} shards"


class Indexes:
    """Indexes of one kind that share a layout; thread-safe."""

    def __init__(
        self,
        connection: Connection,
        kind: str,
        layout: Mapping[str, Any],
        derived: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        """`kind` is the first part of their names; `layout` has `settings` and `mappings`.

        `derived` makes of an entry's source the fields that it does not keep.
        """
        self._connection = connection
        self._derived = derived
        self._kind = kind
        self._layout = dict(layout)
        text = json.dumps(self._layout, sort_keys=True)
        self._layout_id = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._ready: set[str] = set()
        self._guard = threading.Lock()

    def alias(self, tenant_id: str) -> str:
        """What searches and writes name."""
        return f"{self._kind}.{index_part(tenant_id)}"

    def exists(self, tenant_id: str) -> bool:
        """Whether the tenant has an index; of another layout than this one's it is upgraded first."""
        alias = self.alias(tenant_id)
        if alias in self._ready:
            return True
        with self._guard, self._connection.errors_named() as client:
            if not client.indices.exists_alias(name=alias):
                return False
            self._upgrade(alias)
            self._ready.add(alias)
            return True

    def check(self, tenant_id: str) -> None:
        """Forget that the tenant's index exists, if it was deleted since."""
        alias = self.alias(tenant_id)
        with self._guard, self._connection.errors_named() as client:
            if alias in self._ready and not client.indices.exists_alias(name=alias):
                self._ready.discard(alias)

    def make(self, tenant_id: str) -> str:
        """The alias of the tenant's index, which is made if there is none. Raises what the server says.

        Asks the server each time: a write to an index that was deleted meanwhile would have the server make
        one without the mapping.
        """
        alias = self.alias(tenant_id)
        self.check(tenant_id)
        if self.exists(tenant_id):
            return alias
        with self._guard, self._connection.errors_named() as client:
            self._put_template()
            try:
                client.indices.create(index=f"{alias}.{self._layout_id}", body={"aliases": {alias: {}}})
            except RequestError as error:
                if error.error != "resource_already_exists_exception":  # another process was faster
                    raise
            self._ready.add(alias)
        return alias

    def forget(self, tenant_id: str) -> None:
        """Remove the tenant's index with all it holds. Idempotent."""
        alias = self.alias(tenant_id)
        with self._guard, self._connection.errors_named() as client:
            self._ready.discard(alias)
            for index in self._behind(alias):
                client.indices.delete(index=index, ignore=404)

    def problem(self, tenant_id: str) -> str | None:
        """Why the tenant's index cannot answer for all it holds; None if it can, or if there is none."""
        self.check(tenant_id)
        if not self.exists(tenant_id):
            return None
        return lost_shards(self._connection, self.alias(tenant_id))

    # --- layouts ------------------------------------------------------------------------------------

    def _put_template(self) -> None:
        template = {"index_patterns": [f"{self._kind}.*.{self._layout_id}"], "template": self._layout}
        name = f"{self._kind}.{self._layout_id}"
        self._connection.client.indices.put_index_template(name=name, body=template)

    def _behind(self, alias: str) -> list[str]:
        try:
            return sorted(self._connection.client.indices.get_alias(name=alias))
        except NotFoundError:
            return []

    def _upgrade(self, alias: str) -> None:
        """Copy to an index of the present layout and switch the alias; readers notice nothing.

        Most is copied while writers go on. Then the old index takes no more writes (their stages wait), what
        was added or removed meanwhile follows, and the alias is switched in one step. Another process that
        upgrades at the same time copies the same documents under the same ids. A crash leaves the old index
        as it was, blocked at worst: the next call goes on from there.
        """
        target = f"{alias}.{self._layout_id}"
        old = [index for index in self._behind(alias) if index != target]
        if not old:
            return
        client = self._connection.client
        self._put_template()
        if not client.indices.exists(index=target):
            client.indices.create(index=target, ignore=400)
        for index in old:
            self._copy(index, target, self._entries(index))
            client.indices.put_settings(index=index, body={"index.blocks.write": True})
            client.indices.refresh(index=index)
            client.indices.refresh(index=target)
            current, copied = self._ids(index), self._ids(target)
            self._copy(index, target, self._entries_of(index, sorted(current - copied)))
            self._remove(target, copied - current)
        client.indices.refresh(index=target)
        actions = [{"add": {"index": target, "alias": alias}}]
        actions += [{"remove_index": {"index": index}} for index in old]
        client.indices.update_aliases(body={"actions": actions})

    def _copy(self, source: str, target: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Write entries to the target, over themselves; raises when one could not be copied."""
        for batch in batched(entries, COPIED_AT_ONCE):
            actions = [
                {
                    "_index": target,
                    "_id": entry["_id"],
                    **entry["_source"],
                    **self._derived(entry["_source"]),
                }
                for entry in batch
            ]
            try:
                self._connection.bulk(actions)
            except RequestRejectedError as error:
                raise ConfigurationError(
                    f"{source} cannot be copied to the layout of this medkg: {error.message} Documents stay "
                    "where they are, searchable with the previous version."
                ) from error

    def _entries(self, index: str) -> Iterator[Mapping[str, Any]]:
        """All entries with their sources."""
        from opensearchpy.helpers import scan

        yield from scan(
            self._connection.client,
            index=index,
            query={"query": {"match_all": {}}},
            size=COPIED_AT_ONCE,
            request_timeout=COPY_SECONDS,
            scroll="1h",
        )

    def _entries_of(self, index: str, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """These entries, as far as they are still there."""
        for batch in batched(ids, COPIED_AT_ONCE):
            answer = self._connection.client.mget(
                index=index, body={"ids": batch}, request_timeout=COPY_SECONDS
            )
            yield from (entry for entry in answer["docs"] if entry.get("found"))

    def _remove(self, target: str, ids: Iterable[str]) -> None:
        """Remove from the target what was removed from the source since it was copied."""
        self._connection.bulk([{"_op_type": "delete", "_index": target, "_id": entry_id} for entry_id in ids])

    def _ids(self, index: str) -> set[str]:
        from opensearchpy.helpers import scan

        entries = scan(
            self._connection.client,
            index=index,
            query={"query": {"match_all": {}}},
            _source=False,
            size=5000,
            scroll="1h",
        )
        return {entry["_id"] for entry in entries}
