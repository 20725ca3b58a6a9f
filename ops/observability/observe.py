"""`make observe`: a data folder with `/metrics` over a demo run, watched by Prometheus and Alertmanager.

Comes in: a data folder. Leaves: addresses and the trace of the run on stdout, until Ctrl-C; then everything
that it started has ended. A program that this machine lacks is named and left out. Spans go to
OTEL_EXPORTER_OTLP_ENDPOINT where that is set, otherwise to a small collector that draws them as a tree.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from rich.console import Console

from ops.observability.otlp_collector import otlp_collector
from ops.observability.servers import alertmanager, free_port, missing_programs, prometheus, waited_for

CONSOLE: Final = Console(highlight=False, soft_wrap=True)
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
ENDPOINT_SECONDS: Final = 60.0
CORPUS: Final = Path(__file__).parents[2] / "demo" / "corpus"


def main() -> None:
    """Start all of it, run the demo's corpus, and wait."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    data_dir = parser.parse_args().data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    metrics = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "MEDKG_METRICS_PORT": metrics.rpartition(":")[2],
        "MEDKG_DATA_DIR": str(data_dir),
    }
    with ExitStack() as stack:
        collector = None
        if ENDPOINT not in environment:
            collector = stack.enter_context(otlp_collector())
            environment[ENDPOINT] = collector.url
        stack.callback(_medkg, ["down"], environment)
        _medkg(["up"], environment)
        if not waited_for(f"http://{metrics}/metrics", ENDPOINT_SECONDS):
            raise SystemExit(f"/metrics does not answer at {metrics}; see the logs in {data_dir / 'logs'}")
        _say(f"metrics       http://{metrics}/metrics")
        _watch(stack, data_dir, metrics)
        _medkg(["run", "auto", "--path", str(CORPUS)], environment)
        _say(collector.tree() if collector is not None else f"traces        {environment[ENDPOINT]}")
        _say("medkg top     MEDKG_DATA_DIR=" + str(data_dir) + " .venv/bin/medkg top")
        _say("Ctrl-C ends all of it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            _say("ending")


def _watch(stack: ExitStack, data_dir: Path, metrics: str) -> None:
    """Start what this machine has of Prometheus and Alertmanager, and print addresses."""
    lacking = missing_programs()
    for name in lacking:
        _say(f"{name} is not installed (apt-get install prometheus prometheus-alertmanager)")
    folder = data_dir / "observe"
    folder.mkdir(exist_ok=True)
    alerts = None
    if "alertmanager" not in lacking:
        secret = folder / "secret"
        secret.write_text("0" * 32, encoding="utf-8")
        hook = stack.enter_context(_webhook())
        to_hook = {"url": hook, "http_config": {"authorization": {"credentials_file": str(secret)}}}
        to_pager = {"url": hook, "routing_key_file": str(secret)}
        alerts = stack.enter_context(alertmanager(folder, {"webhook": to_hook, "pagerduty": to_pager}, "5s"))
        _say(f"alertmanager  http://{alerts}")
    if "prometheus" not in lacking:
        ray = data_dir / "run" / "ray-metrics.json"
        address = stack.enter_context(prometheus(folder, [metrics], ray, alerts, "5s"))
        _say(f"prometheus    {address}")
        _say(f"pictures      .venv/bin/python -m ops.observability.plots {address} FOLDER")


def _say(line: str) -> None:
    CONSOLE.print(line, markup=False)


@contextmanager
def _webhook() -> Iterator[str]:
    """A receiver that prints what Alertmanager sends; its address."""

    class Handler(BaseHTTPRequestHandler):
        """One notification."""

        def do_POST(self) -> None:
            _say("alert         " + self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests are not logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _medkg(arguments: Sequence[str], environment: dict[str, str]) -> None:
    """Run a `medkg` command; raises SystemExit when it failed, which documents that failed are not."""
    command = [str(Path(sys.executable).with_name("medkg")), *arguments]
    if (code := subprocess.run(command, check=False, env=environment).returncode) > 1:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
