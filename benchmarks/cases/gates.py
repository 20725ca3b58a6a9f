"""PDFs in two phases through MinerU's stand-in: the table of what became of each, and how soon they went on.

Generated PDFs, one and two columns, with broken, encrypted and image-only ones among them, are submitted to
the daemon of a kept data folder. The stand-in (tests/servers/mineru_server.py) is slow, fails a share of the
tasks, and is killed and restarted twice meanwhile. The result has documents by end state and error, how often
each was resumed, and the seconds from its conversion's end (pdf_ir_ready) to the first stage of its second
phase.

    python -m benchmarks.cases.gates [DOCUMENTS] [TOPOLOGY]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import create_engine, select
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from medkg.testing.synthetic_pdfs import LAYOUTS, an_article, pdf_of
from orchestration.ledger.tables import documents, item_dead_letters, pdf_tasks, stage_reports
from orchestration.runs.artifacts import PREFIX, read_artifact
from orchestration.settings import Settings
from orchestration.stores.objects.opening import open_objects
from tests.servers.mineru_server import MineruProcess

from ..load.command_line import CommandLine

PATIENCE: Final = 900.0
SECONDS_A_TASK: Final = 2.0
FAIL_SHARE: Final = 0.1
"""Of PDFs: these fail at every attempt."""
BLANK: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
)
"""The beginning of a PDF whose only page is not there."""


def write_pdfs(folder: Path, count: int) -> None:
    """PDFs of synthetic articles; every tenth is broken, encrypted or without text."""
    folder.mkdir(parents=True)
    layouts = list(LAYOUTS.values())
    for number in range(count):
        article = an_article(number)
        layout = layouts[number % len(layouts)]
        content = pdf_of(article, layout, encrypt="secret") if number % 30 == 9 else pdf_of(article, layout)
        if number % 30 == 19:
            content = content[: len(content) // 3]
        if number % 30 == 29:
            content = BLANK + content[-1024:]
        (folder / f"paper-{number:03}.pdf").write_bytes(content)


def measure(count: int, topology: str, folder: Path) -> dict[str, Any]:
    """The demonstration in a separate data folder with a host that `medkg up` started."""
    write_pdfs(folder / "pdfs", count)
    options = ("--seconds", str(SECONDS_A_TASK), "--fail-share", str(FAIL_SHARE))
    with MineruProcess(*options) as mineru:
        data = CommandLine.at(folder / "data", {"MEDKG_MINERU_URL": mineru.url})
        with data.kept():
            started = time.time()
            job = data.answer("submit", topology, "--path", str(folder / "pdfs"), "--window", "10")["job_id"]
            for share in (0.2, 0.5):
                _until(partial(_has_converted, data.settings, share * count))
                mineru.kill()
                time.sleep(3)
                mineru.start()
            _until(partial(_is_done, data, job))
            seconds = time.time() - started
        settings = data.settings
    return {"documents": count, "topology": topology, "seconds": round(seconds, 1), **_account(settings)}


def _account(settings: Settings) -> dict[str, Any]:
    engine = create_engine(settings.ledger_url)
    with engine.connect() as connection:
        rows = connection.execute(select(documents)).mappings().all()
        tasks = {row["document_id"]: row for row in connection.execute(select(pdf_tasks)).mappings()}
        letters = len(connection.execute(select(item_dead_letters)).all())
        reports = [json.loads(text) for text in connection.execute(select(stage_reports.c.report)).scalars()]
    engine.dispose()
    parsed = {report["window_id"]: report["started_at"] for report in reports if report["stage"] == "parse"}
    waits = [
        parsed[row["window_id"]] - tasks[row["id"]]["changed_at"]
        for row in rows
        if row["status"] == "committed"
    ]
    return {
        "by_end_state": dict(Counter(row["status"] for row in rows)),
        "errors": dict(Counter(row["error_code"] for row in rows if row["error_code"])),
        "dead_letters": letters,
        "lost": sum(row["status"] not in ("committed", "failed") for row in rows),
        "resumed": dict(Counter(_times_resumed(settings).values())),
        "attempts_that_failed": sum(task["attempts"] for task in tasks.values()),
        "ready_to_resumed_seconds": {
            name: round(float(np.percentile(waits, share)), 1)
            for name, share in (("p50", 50), ("p95", 95), ("most", 100))
        },
    }


def _times_resumed(settings: Settings) -> Counter[str]:
    """How many runs of the second phase took each document up, by the artifacts that they left."""
    objects = open_objects(settings.objects_url)
    keys = [stored.key for stored in objects.list(PREFIX) if "/resume_op." in stored.key]
    return Counter(ctx.doc_id for key in keys for ctx, _ in read_artifact(objects, key).items)


def _has_converted(settings: Settings, count: float) -> bool:
    engine = create_engine(settings.ledger_url)
    with engine.connect() as connection:
        done = connection.execute(select(pdf_tasks.c.document_id).where(pdf_tasks.c.state == "done")).all()
    engine.dispose()
    return len(done) >= count


def _is_done(data: CommandLine, job_id: str) -> bool:
    (job,) = [candidate for candidate in data.answer("status")["jobs"] if candidate["job_id"] == job_id]
    return bool(job["state"] == "done")


def _until(holds: Callable[[], bool]) -> None:
    Retrying(
        retry=retry_if_result(lambda held: not held), stop=stop_after_delay(PATIENCE), wait=wait_fixed(1)
    )(holds)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    topology = sys.argv[2] if len(sys.argv) > 2 else "pdf-two-phase"
    with tempfile.TemporaryDirectory(prefix="medkg-bench-gates-") as folder:
        sys.stdout.write(json.dumps(measure(count, topology, Path(folder)), indent=2) + "\n")


if __name__ == "__main__":
    main()
