"""The catalog's assets: configured sources, the documents of each topology, and the index that they end in.

Input: topologies, schedules and which stores are configured. Output: external AssetSpecs, so Dagster shows
lineage and history and executes nothing itself: the window runs report the materializations
(orchestration.dagster.reports). Keys are stable: sources/NAME, documents/TOPOLOGY, search_index/TOPOLOGY,
vector_index/TOPOLOGY, mentions_and_claims/TOPOLOGY, index and graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dagster import AssetKey, AssetSpec

from orchestration.contracts import Branch
from orchestration.jobs.schedules import Schedule
from orchestration.settings import Settings
from orchestration.topology.graph import TopologyGraph

__all__ = [
    "GRAPH",
    "INDEX",
    "asset_specs",
    "documents_key",
    "graph_part_key",
    "search_index_key",
    "source_key",
    "vector_index_key",
]

INDEX: Final = AssetKey(["index"])
"""The index as searches see it: what is committed, of all topologies."""

GRAPH: Final = AssetKey(["graph"])
"""The graph as its readers see it: what is committed, of all topologies."""

FILES: Final = "files"
"""The source that needs no configuration, so every topology can read it."""


def source_key(source: str) -> AssetKey:
    """What a source plugin lists."""
    return AssetKey(["sources", source])


def documents_key(topology: str) -> AssetKey:
    """Parsed and checked documents of a topology."""
    return AssetKey(["documents", topology])


def search_index_key(topology: str) -> AssetKey:
    """Chunks of a topology in the search store."""
    return AssetKey(["search_index", topology])


def vector_index_key(topology: str) -> AssetKey:
    """Vectors of a topology's chunks in the vector store."""
    return AssetKey(["vector_index", topology])


def graph_part_key(topology: str) -> AssetKey:
    """Mentions and claims of a topology in the graph's store."""
    return AssetKey(["mentions_and_claims", topology])


def asset_specs(
    graphs: Sequence[TopologyGraph], schedules: Mapping[str, Schedule], settings: Settings
) -> list[AssetSpec]:
    """Every asset of the catalog in lineage order; no topology, no assets but sources, index and graph."""
    sources = {FILES: [graph.name for graph in graphs]}
    for schedule in schedules.values():
        readers = sources.setdefault(schedule.source, [])
        if schedule.topology not in readers:
            readers.append(schedule.topology)
    parts = [spec for graph in graphs for spec in _topology_assets(graph, sources, settings)]
    return [*(_source(name) for name in sources), *parts, _index(graphs, settings), _graph(graphs, settings)]


def _source(name: str) -> AssetSpec:
    described = (
        "Files and folders: `medkg run TOPOLOGY --path ...`."
        if name == FILES
        else f"Records of source {name}, which a schedule reads: `medkg run TOPOLOGY --source {name} ...`."
    )
    return AssetSpec(
        source_key(name),
        group_name="sources",
        kinds={"file" if name == FILES else "api"},
        description=described,
    )


def _topology_assets(
    graph: TopologyGraph, sources: Mapping[str, Sequence[str]], settings: Settings
) -> list[AssetSpec]:
    name = graph.name
    described = {"topology": f"{name}@{graph.version}", "job": graph.job}
    documents = AssetSpec(
        documents_key(name),
        deps=[source_key(source) for source, readers in sources.items() if name in readers],
        group_name="documents",
        kinds={"s3" if settings.objects_on_s3 else "sqlite"},
        metadata=described,
        description=f"{graph.topology.description} Each event is a window's documents, parsed and checked.",
    )
    search_index = AssetSpec(
        search_index_key(name),
        deps=[documents],
        group_name="index",
        kinds={settings.search_store},
        metadata=described,
        description=f"Documents and chunks that windows of topology {name} wrote to the search store.",
    )
    vector_index = AssetSpec(
        vector_index_key(name),
        deps=[documents],
        group_name="index",
        kinds={settings.vector_store},
        metadata=described,
        description=f"Vectors of chunks that windows of topology {name} wrote to the vector store.",
    )
    if not _has_graph(graph):
        return [documents, search_index, vector_index]
    part = AssetSpec(
        graph_part_key(name),
        deps=[documents],
        group_name="graph",
        kinds={_database(settings)},
        metadata=described,
        description=f"Mentions and claims that windows of topology {name} extracted, each at its characters.",
    )
    return [documents, search_index, vector_index, part]


def _has_graph(graph: TopologyGraph) -> bool:
    return any(sink.branch is Branch.GRAPH for sink in graph.sinks)


def _database(settings: Settings) -> str:
    return "sqlite" if settings.ledger_url.startswith("sqlite") else "postgresql"


def _index(graphs: Sequence[TopologyGraph], settings: Settings) -> AssetSpec:
    parts = [key for graph in graphs for key in (search_index_key(graph.name), vector_index_key(graph.name))]
    return AssetSpec(
        INDEX,
        deps=parts,
        group_name="index",
        kinds={settings.search_store, settings.vector_store},
        description="What `medkg search` finds: committed documents of all topologies and tenants. Events "
        "are commits; each makes a window's documents visible at once.",
    )


def _graph(graphs: Sequence[TopologyGraph], settings: Settings) -> AssetSpec:
    return AssetSpec(
        GRAPH,
        deps=[graph_part_key(graph.name) for graph in graphs if _has_graph(graph)],
        group_name="graph",
        kinds={_database(settings)},
        description="What `medkg graph` answers from: mentions and claims of committed documents, of all "
        "topologies and tenants. Events are commits; each makes a window's documents visible at once.",
    )
