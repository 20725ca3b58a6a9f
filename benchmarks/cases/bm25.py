"""The BM25 legs against a reference BM25 over the same tokens, by the questions of a folder.

`python -m benchmarks.cases.bm25 --data ../shared/data/hard` ingests its documents (once: --data-dir keeps
them), asks its questions and prints nDCG@10, recall@10 and MRR@10 of leg and reference with their difference.
With --opensearch URL the same chunks are written to a server, and its leg is compared as well. Nothing here
is timed, so it is no case of the suite.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from orchestration.assembly import Assembly
from orchestration.contracts import ChunkRef, CommitLog, SearchStore
from orchestration.errors import UsageError
from orchestration.records import Chunk
from orchestration.retrieval.comparison import compared
from orchestration.retrieval.evaluation import Question, evaluate
from orchestration.retrieval.fusion import DEFAULT_FUSION
from orchestration.retrieval.legs import Bm25Leg
from orchestration.retrieval.search import HybridSearch
from orchestration.settings import load_settings
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch

from ..data.questions import as_questions
from ..peers.reference_bm25 import (
    ReferenceLeg,
    opensearch_reference,
    sqlite_reference,
    visible_chunks,
)

__all__ = ["measured", "on_opensearch"]

LARGEST_DIFFERENCE: Final = 0.01
"""Of nDCG@10, between a leg and its reference, that is called the same."""

DOCUMENTS: Final = ("passages.jsonl", "abstracts.jsonl")


def measured(
    log: CommitLog, store: SearchStore, tenant_id: str, questions: Sequence[Question], reference: ReferenceLeg
) -> dict[str, Any]:
    """Measures of the store's BM25 leg and of the reference, and what the leg's nDCG@10 has over it."""
    search = HybridSearch(log, store, [Bm25Leg(store), reference], DEFAULT_FUSION)
    try:
        legs = evaluate(search, tenant_id, questions).legs
    finally:
        search.close()
    names = "bm25", reference.name
    figures = {name: legs[name].measures for name in names}
    difference = compared(*names, "ndcg@10", *(figures[name]["ndcg@10"] for name in names))
    return {
        **{name: {measure: _mean(values) for measure, values in figures[name].items()} for name in names},
        "difference": difference.as_json() if difference is not None else None,
    }


def on_opensearch(
    log: CommitLog,
    chunks: Sequence[tuple[ChunkRef, Chunk]],
    tenant_id: str,
    questions: Sequence[Question],
    connection: Connection,
) -> dict[str, Any]:
    """The same over an index of these chunks on a server, which is removed afterwards."""
    prefix = f"bm25-{uuid4().hex[:12]}"
    store = OpenSearchSearch(connection, prefix)
    by_intent: defaultdict[str, list[tuple[Any, Chunk]]] = defaultdict(list)
    for ref, chunk in chunks:
        by_intent[ref.intent_id].append((ref.key, chunk))
    try:
        for intent_id, written in by_intent.items():
            store.write(tenant_id, intent_id, written, None)
        with connection.errors_named() as client:
            (index,) = client.indices.get(index=f"{prefix}-*")
        reference = opensearch_reference(chunks, connection, index)
        return measured(log, store, tenant_id, questions, reference)
    finally:
        with connection.errors_named() as client:
            client.indices.delete(index=f"{prefix}-*", ignore=404)
            client.indices.delete_index_template(name=f"{prefix}-*", ignore=404)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def _ingested(documents: Path, data_dir: Path) -> None:
    """The documents through the pipeline; what is there already is skipped."""
    medkg = str(Path(sys.executable).parent / "medkg")
    command = [medkg, "--data-dir", str(data_dir), "run", "auto", "--path", str(documents.absolute())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _documents(folder: Path) -> Path:
    files = [folder / name for name in DOCUMENTS if (folder / name).is_file()]
    if not files:
        raise UsageError(f"{folder} has none of {', '.join(DOCUMENTS)}; name another folder with --data.")
    return files[0]


def main() -> None:
    """Measure, print JSON, and end with 1 if a leg is farther from its reference than it may be."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--data", type=Path, required=True, help="Folder of documents and questions.jsonl.")
    options.add_argument("--data-dir", type=Path, help="Data folder to ingest into; default: for this run.")
    options.add_argument("--opensearch", help="Server to compare as well, http://HOST:PORT.")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="medkg-bm25-") as folder:
        settings = load_settings(data_dir=arguments.data_dir or Path(folder))
        _ingested(_documents(arguments.data), settings.data_dir)
        questions = as_questions(arguments.data / "questions.jsonl")
        assembly = Assembly(settings)
        try:
            log, store = assembly.ledger.commits, assembly.search_store
            chunks = visible_chunks(log, store, settings.tenant)
            answer = {"sqlite": measured(log, store, settings.tenant, questions, sqlite_reference(chunks))}
            if arguments.opensearch:
                connection = Connection(arguments.opensearch)
                answer["opensearch"] = on_opensearch(log, chunks, settings.tenant, questions, connection)
                connection.close()
        finally:
            assembly.close()
    sys.stdout.write(
        json.dumps({"questions": len(questions), "chunks": len(chunks), **answer}, indent=2) + "\n"
    )
    differences = [
        store_result["difference"]["difference"]
        for store_result in answer.values()
        if store_result["difference"]
    ]
    sys.exit(any(abs(difference) > LARGEST_DIFFERENCE for difference in differences))


if __name__ == "__main__":
    main()
