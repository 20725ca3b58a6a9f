"""Mentions and claims of documents outside of a run, as their topology's extract stage finds them.

Input: a topology's name and documents. Output: one outcome per document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.assembly.chunking_again import context_of_document
from orchestration.contracts import Extraction, Outcome, lift
from orchestration.errors import MedkgError, StageContractError, UnavailableError
from orchestration.records import Document

if TYPE_CHECKING:
    from orchestration.topology.graph import StageNode, TopologyGraph

__all__ = ["extract_again"]


def extract_again(
    load: Callable[[str], TopologyGraph],
    stage_of: Callable[[StageNode], Any],
    pipeline: str,
    documents: Sequence[Document],
) -> Sequence[Outcome[Extraction]]:
    """Extractions of documents; the same error for all where the topology is not there or has no such stage.

    Raises UnavailableError where the extractor's service is unavailable.
    """
    try:
        graph = load(pipeline)
        node = next((node for node in graph.nodes if node.stage_type == "extract"), None)
        if node is None:
            raise StageContractError(f"topology {graph.name} has no stage `extract` of medkg's own.")
        stage = lift(stage_of(node))
    except UnavailableError:
        raise
    except MedkgError as error:
        return [error] * len(documents)
    return stage.execute_batch([(context_of_document(each, graph), each) for each in documents])
