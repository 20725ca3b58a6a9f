"""A data folder whose windows run in this process: everything is real but the plane, which counts its calls.

`python -m tests.orchestration.runs.window_folder FOLDER BOUNDARY VERSION [unavailable]` runs the due branches
of FOLDER's trials under that version of the extractor, whose service may be unavailable, and kills itself
(kill -9) at a boundary of the window. MEDKG_LEDGER_URL names another database than the folder's.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from medkg.testing.builders import TENANT, a_chunk, a_study, json_lines
from orchestration.assembly import Assembly
from orchestration.contracts import (
    DocumentCounts,
    Extraction,
    JobState,
    JobSummary,
    Outcome,
    Phase,
    PlaneUse,
    SourceRequest,
    Vectors,
)
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.processes.child_process import is_alive
from orchestration.records import Chunk, Document, DocumentKey
from orchestration.runs.artifacts import WindowBatch
from orchestration.settings import load_settings
from orchestration.stores.verify import Difference
from orchestration.topology.shipped import shipped_folder
from tests.orchestration.stores.data_folder import encode, expand

TRIALS = ("NCT00000001", "NCT00000002", "NCT00000003")
TOPOLOGY = "clinical-trials"


class CountingPlane:
    """Chunks of 200 characters and vectors of letter counts; counts what it is given."""

    profile = "toy"
    model_ids: Mapping[str, str] = {"dense": "letters@1", "sparse": "beginnings@1"}

    def __init__(self) -> None:
        self.chunked = self.embedded = 0

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        self.chunked += len(documents)
        return [_chunks(document) for document in documents]

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        self.embedded += len(texts)
        return Vectors(encode(texts), expand(texts).rows)

    def use(self) -> PlaneUse:
        return PlaneUse({}, 0, 0.0)


def _chunks(document: Document) -> list[Chunk]:
    starts = range(0, len(document.text), 200)
    return [
        a_chunk(document, ordinal=ordinal, start=start, end=start + 200)
        for ordinal, start in enumerate(starts)
        if document.text[start : start + 200].strip()
    ]


class WindowFolder:
    """A data folder, its trials and its own copy of the shipped topologies."""

    def __init__(
        self, folder: Path, ledger_url: str | None = None, *, topology: str = TOPOLOGY, tenant: str = TENANT
    ) -> None:
        self.folder = folder
        self.topology = topology
        self.topologies = folder / "topologies"
        self.trials = folder / "trials"
        if not self.topologies.exists():
            ignored = shutil.ignore_patterns("__pycache__", "versions")
            shutil.copytree(shipped_folder(), self.topologies, ignore=ignored)
            self.trials.mkdir()
            self.write_trials(*TRIALS)
        settings: dict[str, Any] = {"ledger_url": ledger_url} if ledger_url else {}
        self.settings = load_settings(
            data_dir=folder / "data",
            tenant=tenant,
            topologies_dir=self.topologies,
            extraction_model="none",
            **settings,
        )
        self.plane = CountingPlane()
        self.extracted = 0
        self.versions: dict[str, str] = {}
        """Of extractors, in place of those that they have."""
        self.fails: Callable[[Document], Exception | None] = lambda document: None
        """What the registry extractor raises for a document."""
        self.invents = False
        """Whether the registry extractor also returns a mention that its document does not have."""
        self.assembly = self._assembled()

    def _assembled(self) -> Assembly:
        assembly = Assembly(self.settings)
        vars(assembly)["plane"] = self.plane
        vars(assembly)["extractors"] = {
            name: kind if hasattr(kind, "from_services") else partial(_Counted, self, kind)
            for name, kind in Assembly(self.settings).extractors.items()
        }
        return assembly

    def reopen(self) -> None:
        """As another process would see it, with changed topologies and extractors."""
        self.close()
        self.plane.chunked = self.plane.embedded = self.extracted = 0
        self.assembly = self._assembled()

    def close(self) -> None:
        self.assembly.close()

    # --- sources and topologies ---------------------------------------------------------------------

    def write_trials(self, *ids: str, condition: str = "Insomnia") -> None:
        studies = [a_study(nct_id, conditionsModule={"conditions": [condition]}) for nct_id in ids]
        (self.trials / "studies.jsonl").write_bytes(json_lines(studies))

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace text in a file of the topologies, which must be there."""
        path = self.topologies / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    # --- runs ---------------------------------------------------------------------------------------

    def run(self, boundary: Callable[[str], None] = lambda name: None) -> JobSummary:
        """List the trials and run their windows to the end; `boundary` is called after each step."""
        job_id, _ = self.list_trials()
        self.work(job_id, boundary)
        return self.assembly.ledger.jobs.summary(job_id)

    def list_trials(self) -> tuple[str, list[DocumentCounts]]:
        submissions, graph = self.assembly.submissions, self.assembly.topologies.load(self.topology)
        request = SourceRequest(plugin="files", paths=(str(self.trials),))
        submission = submissions.open(
            graph, request, tenant_id=self.settings.tenant, window_size=100, attended=True
        )
        return submission.job_id, list(submissions.enqueue(submission, graph))

    def work(self, job_id: str, boundary: Callable[[str], None] = lambda name: None) -> None:
        ledger = self.assembly.ledger
        ledger.windows.reclaim(is_alive)
        self.assembly.index.recover(is_alive)
        while window_id := ledger.windows.claim(job_id, 100, phase=Phase.FIRST):
            self.run_window(window_id, boundary)
        ledger.jobs.settle(job_id)

    def run_window(self, window_id: str, boundary: Callable[[str], None] = lambda name: None) -> None:
        """What the ops of the window's Dagster run do."""
        graph, runs = self.assembly.topologies.load(self.topology), self.assembly.window_runs
        batches: dict[str, WindowBatch] = {}
        for node in graph.nodes:
            if node.takes_from is None:
                batches[node.name], _ = runs.run_first_stage(graph.name, node.name, window_id)
            else:
                batch = batches[node.takes_from.name]
                batches[node.name], _ = runs.run_stage(graph.name, node.name, batch)
            boundary(f"after {node.name}")
        runs.commit(graph.name, {sink.name: batches[sink.name] for sink in graph.sinks})
        boundary("after the commit")

    # --- what readers see ---------------------------------------------------------------------------

    def claims(self) -> set[tuple[str, str, str]]:
        """Document, condition and extraction of the visible claims `studies`."""
        statements = self.assembly.ledger.graph.statements(self.settings.tenant, predicate="studies")
        return {(each.key.doc_id, each.object.name, each.claim.extraction) for each in statements}

    def intents(self) -> dict[str, tuple[str, str | None]]:
        """Intents of index and graph by document."""
        commits = self.assembly.ledger.commits.committed(self.settings.tenant)
        return {commit.key.doc_id: (commit.intent_id, commit.graph_intent_id) for commit in commits}

    def differences(self) -> list[Difference]:
        return self.assembly.verification.differences(self.settings.tenant)

    def optional_extraction(self) -> None:
        """Have documents be indexed without waiting for extract and kg."""
        for name in ("extract", "kg"):
            self.edit(f"{self.topology}.yaml", f"type: {name}\n", f"type: {name}\n    optional: true\n")
        self.reopen()

    def outstanding(self) -> dict[str, int]:
        return self.assembly.ledger.documents.outstanding(self.settings.tenant)

    def forget_parsed(self, doc_id: str) -> None:
        key = DocumentKey(tenant_id=self.settings.tenant, source="clinicaltrials", doc_id=doc_id)
        self.assembly.stores.documents.discard(key, None)


class _Counted:
    """An installed extractor that counts its documents, under a version of the test's choice."""

    def __init__(self, folder: WindowFolder, kind: Any) -> None:
        self._folder = folder
        self._extractor = kind()
        self.name = self._extractor.name
        self.version = folder.versions.get(self.name, self._extractor.version)

    def extract(self, document: Document) -> Extraction:
        self._folder.extracted += 1
        error = self._folder.fails(document)
        if error is not None:
            raise error
        entities, claims = self._extractor.extract(document)
        if self._folder.invents:
            entities = [*entities, entities[0].model_copy(update={"name": "invented", "entity_id": "e0"})]
        extraction = f"{self.name}/{self.version}"
        return (
            [each.model_copy(update={"extraction": extraction}) for each in entities],
            [each.model_copy(update={"extraction": extraction}) for each in claims],
        )


@contextmanager
def opened(folder: Path, ledger_url: str | None = None) -> Iterator[WindowFolder]:
    windows = WindowFolder(folder, ledger_url)
    try:
        yield windows
    finally:
        windows.close()


# --- dying ------------------------------------------------------------------------------------------

COMMITTED = "after the ledger's commit"
"""The first boundary at which what the window made is visible."""


def boundaries(steps: Sequence[str], *cleaned: str) -> tuple[str, ...]:
    """Where a window that runs these steps can die, in order; `cleaned`: what its commit supersedes."""
    cleaning = (f"after cleaning the {branch}" for branch in cleaned)
    return (
        *(f"after {step}" for step in steps),
        "before the commit",
        COMMITTED,
        *cleaning,
        "after the commit",
    )


def unavailable(document: object) -> Exception:
    """What an extractor raises whose service does not answer."""
    return DagsterResourceUnavailableError("the language model's server does not answer.")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(method: Callable[..., Any], *, before: bool = False) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if before:
            die()
        method(*arguments, **named)
        die()

    return call


def main(folder: str, boundary: str, registry: str, service: str = "") -> None:
    """Run the due branches and be killed at the boundary."""
    with opened(Path(folder), os.environ.get("MEDKG_LEDGER_URL")) as windows:
        windows.versions["registry"] = registry
        if service == "unavailable":
            windows.fails = unavailable
        windows.reopen()
        outcomes, graph = windows.assembly.ledger.outcomes, windows.assembly.ledger.graph
        if boundary == "before the commit":
            vars(outcomes)["finish"] = _dying(outcomes.finish, before=True)
        elif boundary == COMMITTED:
            vars(outcomes)["finish"] = _dying(outcomes.finish)
        elif boundary == "after cleaning the index":
            search = windows.assembly.stores.search
            vars(search)["discard"] = _dying(search.discard)
        elif boundary == "after cleaning the graph":
            vars(graph)["discard"] = _dying(graph.discard)
        windows.run(lambda name: die() if name == boundary else None)
        assert windows.assembly.ledger.jobs.find(windows.settings.tenant, [JobState.DONE])


if __name__ == "__main__":
    main(*sys.argv[1:])
