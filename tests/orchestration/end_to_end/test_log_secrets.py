"""No log of a data folder has a secret or text of a document, also where parsers and servers fail."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.orchestration.command_line import Medkg

pytestmark = pytest.mark.plane

TEXT = "zebra quokka lowers blood glucose"
SECRETS = {
    "MEDKG_NCBI_API_KEY": "planted-ncbi-key",
    "MEDKG_OPENALEX_API_KEY": "planted-openalex-key",
    "MEDKG_LLM_API_KEY": "planted-llm-key",
    "MEDKG_EVENTS_WEBHOOK_TOKEN": "planted-webhook-token",
    "MEDKG_OPENALEX_URL": "http://ann:planted-web-password@127.0.0.1:9",
    "MEDKG_OPENSEARCH_URL": "http://ann:planted-search-password@127.0.0.1:9",
    "MEDKG_LLM_URL": "http://ann:planted-llm-password@127.0.0.1:9/v1",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://ann:planted-collector-password@127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer planted-collector-header",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which runs have succeeded and failed at the most talkative log level."""
    folder = tmp_path_factory.mktemp("secrets")
    documents = folder / "in"
    documents.mkdir()
    for number in range(3):
        (documents / f"{number}.md").write_text(f"# Walking {number}\n\n{TEXT}.\n", encoding="utf-8")
    (documents / "broken.xml").write_text(f"<article><front>{TEXT}", encoding="utf-8")
    (documents / "broken.json").write_text(f'{{"protocolSection": {{"x": "{TEXT}"', encoding="utf-8")
    (documents / "broken.pdf").write_text(f"%PDF-1.4 {TEXT}", encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in SECRETS.items():
            environment.setenv(name, value)
        environment.setenv("MEDKG_LOG_LEVEL", "debug")
        environment.setenv("MEDKG_LLM_MODEL", "m")
        environment.setenv("MEDKG_CONTACT", "ann@example.org")
        run = _run(folder, "data", "run", "auto", "--path", str(documents), "--json")
        assert json.loads(run)["documents"]["committed"] == 3
        environment.setenv("MEDKG_UNAVAILABLE_SECONDS", "1")
        _run(folder, "data", "run", "auto", "--source", "openalex", "--query", "x", "--limit", "3")
        environment.setenv("MEDKG_SEARCH_STORE", "opensearch")
        _run(folder, "other", "run", "auto", "--path", str(documents))
        _run(folder, "other", "search", "zebra")
    return folder


def _run(folder: Path, data: str, *arguments: str) -> str:
    """Run a command; what it says besides its answer is kept as one more log."""
    process: subprocess.Popen[str] = Medkg(folder / data).process(*arguments)
    stdout, stderr = process.communicate()
    with (folder / data / "stderr.log").open("a", encoding="utf-8") as log:
        log.write(stderr)
    return stdout


def _logs(folder: Path) -> list[Path]:
    return [
        path
        for data in ("data", "other")
        for path in (folder / data).rglob("*")
        if path.suffix in (".log", ".err", ".out")
    ]


def test_the_runs_wrote_logs(folder: Path) -> None:
    written = {path.name for path in _logs(folder) if path.stat().st_size}
    assert {"stderr.log", "window-worker-0.log", "host.log"} <= written


def test_no_log_has_a_secret(folder: Path) -> None:
    assert [path for path in _logs(folder) if "planted-" in path.read_text(encoding="utf-8")] == []


def test_no_log_has_text_of_a_document(folder: Path) -> None:
    assert [path for path in _logs(folder) if TEXT in path.read_text(encoding="utf-8")] == []


def test_each_line_of_a_worker_is_json_of_the_documented_shape(folder: Path) -> None:
    for path in _logs(folder):
        if not path.name.startswith("window-worker"):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            assert list(fields)[:4] == ["timestamp", "level", "event", "process"]
            assert fields["timestamp"].endswith("Z")


def test_lines_inside_a_run_have_trace_job_and_window(folder: Path) -> None:
    lines = [
        json.loads(line)
        for path in (folder / "data" / "logs").glob("window-worker*.log")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    stages = [line for line in lines if line["event"] == "stage"]
    assert stages
    for line in stages:
        assert {"trace_id", "span_id", "job", "window", "stage"} <= line.keys()
