"""Files that arrive at a fixed rate: how long each of their documents takes until it is committed, so found.

The whole topology in open loop, through the daemon: submission, sensor, run queue, launcher, stages, commit.
First the same plane's sustained rate in closed loop (one run over half of the documents); then files of the
other half are submitted at a share of that rate, whatever became of those before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestration.assembly import open_data_folder
from orchestration.contracts import SourceRequest
from orchestration.operations.data_folder import DataFolder

from ..bench import Bench
from ..data.texts import as_abstracts
from ..load.command_line import CommandLine
from ..load.open_loop import percentiles, started_at_rate

LOAD: Final = 0.6
FILES: Final = 10
"""At most so many; each has as many documents as there are for it."""

PATIENCE: Final = 600.0


def measure(bench: Bench) -> dict[str, Any]:
    """Sustained rate, offered and achieved rate, and latency from when a file was due to each commit."""
    bench.close()
    folder = CommandLine(bench, "arrivals")
    middle = len(bench.texts) // 2
    size = max(1, middle // FILES)
    arriving = [range(start, start + size) for start in range(middle, len(bench.texts) - size + 1, size)]
    files = [
        as_abstracts(bench.folder / f"{rows.start}.jsonl", bench.texts[rows.start : rows.stop], rows.start)
        for rows in arriving
    ]
    with folder.kept(), open_data_folder(folder.settings) as data_folder:
        sustained = folder.run(as_abstracts(bench.folder / "first-half.jsonl", bench.texts[:middle], 0))
        rate = LOAD * float(sustained["docs_per_second"])

        def submit(number: int) -> None:
            request = SourceRequest(plugin="files", paths=(str(files[number]),))
            data_folder.jobs.submit_to_dagster("auto", request)

        due = started_at_rate(submit, rate / size, len(arriving))
        committed_at = _commits(data_folder, middle + size * len(arriving))
        by_file = [[committed_at[str(number)] for number in rows] for rows in arriving]
    latencies = [(end - begin) * 1000 for begin, of_file in zip(due, by_file, strict=True) for end in of_file]
    last = max(end for of_file in by_file for end in of_file)
    return {
        "sustained_docs_per_second": sustained["docs_per_second"],
        "documents_per_file": size,
        "at_60_percent": {
            "offered_per_second": round(rate, 2),
            "achieved_per_second": round(len(latencies) / (last - due[0]), 2),
            "documents": len(latencies),
            **percentiles(latencies),
        },
    }


def _commits(data_folder: DataFolder, documents: int) -> dict[str, float]:
    """When each document was committed, by its id, once all are."""

    def committed() -> int:
        return data_folder.ledger.documents.status_counts(data_folder.settings.tenant).get("committed", 0)

    waiting = Retrying(
        retry=retry_if_result(lambda committed_count: committed_count < documents),
        wait=wait_fixed(0.25),
        stop=stop_after_delay(PATIENCE),
    )
    waiting(committed)
    rows = data_folder.ledger.documents.find(data_folder.settings.tenant)
    return {row.key.doc_id: datetime.fromisoformat(row.updated_at).timestamp() for row in rows}
