"""The sink of lineage, with the places of a data folder.

Comes in: settings, topologies. Leaves: a sink for the relay.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from orchestration.errors import MedkgError
from orchestration.lineage.datasets import Places
from orchestration.lineage.runs import DatasetName
from orchestration.lineage.transports import job_namespace
from orchestration.settings import Settings
from orchestration.stores.file_names import file_name

if TYPE_CHECKING:
    from orchestration.lineage.emitter import OpenLineageEmitter
    from orchestration.topology.graph import TopologyGraph

__all__ = ["lineage_places", "lineage_sink"]


def lineage_sink(settings: Settings, topology_of: Callable[[str, str], TopologyGraph]) -> OpenLineageEmitter:
    """The sink; raises ConfigurationError where its transport is not configured so that it can be used."""
    from orchestration.lineage.emitter import OpenLineageEmitter
    from orchestration.lineage.transports import Transport

    @cache
    def steps(pipeline: str, version: str) -> dict[str, tuple[str | None, str]]:
        try:
            nodes = topology_of(pipeline, version).nodes
        except MedkgError:  # its topology is gone: its stages have no datasets
            return {}
        return {node.name: (node.takes, node.gives) for node in nodes}

    return OpenLineageEmitter(
        Transport(),
        job_namespace(os.environ),
        lineage_places(settings),
        lambda pipeline, version, stage: steps(pipeline, version).get(stage),
    )


def lineage_places(settings: Settings) -> Places:
    """Names of a data folder's datasets: files by path, servers by address, without passwords."""

    def search_index(tenant: str) -> DatasetName:
        if settings.search_store == "opensearch":
            return _opensearch(settings, "chunks", tenant)
        return DatasetName("file", str(settings.search_dir / f"{file_name(tenant)}.sqlite"))

    def vectors(tenant: str) -> DatasetName:
        if settings.vector_store == "opensearch":
            return _opensearch(settings, "vectors", tenant)
        if settings.objects_on_s3:
            return _object(settings.objects_url, f"vectors/{file_name(tenant)}")
        return DatasetName("file", str(settings.vectors_dir / file_name(tenant)))

    return Places(
        artifacts=_object(settings.objects_url, "artifacts"),
        search_index=search_index,
        vectors=vectors,
        mentions=_table(settings.ledger_url, "graph_mentions"),
        claims=_table(settings.ledger_url, "graph_claims"),
    )


def _opensearch(settings: Settings, kind: str, tenant: str) -> DatasetName:
    """The indexes of a tenant: `opensearch://HOST:PORT` and the beginning of their names."""
    from orchestration.stores.opensearch.indexes import index_part

    address = urlsplit(settings.opensearch_url or "")
    name = f"{settings.opensearch_prefix}-{kind}.{index_part(tenant)}"
    return DatasetName(f"opensearch://{_host(address, 9200)}", name)


def _object(url: str, key: str) -> DatasetName:
    """Objects below a key: a folder by its path, or a bucket and the key in it."""
    address = urlsplit(url)
    if address.scheme == "s3":
        prefix = address.path.strip("/")
        return DatasetName(f"s3://{address.netloc}", f"{prefix}/{key}" if prefix else key)
    return DatasetName("file", str(Path(unquote(address.path)) / key))


def _table(url: str, table: str) -> DatasetName:
    """A table of the ledger: in its file, or `postgres://HOST:PORT` and DATABASE.public.TABLE."""
    if url.startswith("sqlite"):
        return DatasetName("file", f"{url.partition(':///')[2]}/{table}")
    address = urlsplit(url)
    return DatasetName(f"postgres://{_host(address, 5432)}", f"{address.path.strip('/')}.public.{table}")


def _host(address: SplitResult, port: int) -> str:
    return f"{address.hostname or 'localhost'}:{address.port or port}"
