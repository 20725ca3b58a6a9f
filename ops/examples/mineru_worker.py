"""A worker that converts PDFs for hosts elsewhere, with the MinerU service of its machine.

    export MEDKG_PDF_QUEUE=kafka MEDKG_KAFKA_BROKERS=kafka-1:9092
    export MEDKG_OBJECTS_URL=s3://medkg/production     # as the host has it
    export MEDKG_MINERU_URL=http://127.0.0.1:8000      # mineru-api
    python -m ops.examples.mineru_worker

It needs no ledger, no index and no GPU. Start as many as there are MinerU services; they share the requests,
as far as the topic has partitions. SIGTERM or Ctrl-C stop it; what it had in work goes to another worker.
"""

from __future__ import annotations

import signal
import sys
import threading

from orchestration.assembly import Assembly
from orchestration.assembly.conversions import conversion_worker
from orchestration.errors import ConfigurationError, MedkgError
from orchestration.logging import configure_logging
from orchestration.settings import Settings, load_settings


def main() -> int:
    """Convert until a signal stops it; returns the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        check(settings)
        assembly = Assembly(settings)
        conversion_worker(assembly).run(stop)
    except MedkgError as error:
        sys.stderr.write(f"{error.code} {error.message}\n")
        return error.exit_code
    return 0


def check(settings: Settings) -> None:
    """Raise ConfigurationError for what a worker lacks."""
    if settings.mineru_url is None:
        raise ConfigurationError(
            "MEDKG_MINERU_URL is not set: a worker converts with a MinerU service. Start `mineru-api` and "
            "set it, e.g. http://127.0.0.1:8000."
        )
    if settings.pdf_queue is None:
        raise ConfigurationError(
            "MEDKG_PDF_QUEUE is not set: a worker takes requests from it. Set it to kafka."
        )


if __name__ == "__main__":
    sys.exit(main())
