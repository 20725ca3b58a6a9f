"""The example worker, as a process: it converts with a MinerU service what a host requests over Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from medkg.testing.builders import a_payload
from medkg.testing.ledger_suite.builders import OWNER, a_job, an_item, claimed, everyone_alive, taken
from orchestration.contracts import AskedConverter
from orchestration.contracts.pdf_queue import ConversionCompleted, ConversionFailed
from orchestration.gates.kafka_queue import KafkaConversionQueue
from orchestration.gates.pdf_conversions import PdfConversions
from orchestration.gates.queued_conversions import QueuedConversions
from orchestration.ledger import open_ledger
from orchestration.pdf.mineru.converter import MineruConverter
from orchestration.stages.pdf_ir import PdfIr
from orchestration.stores.objects.opening import open_objects
from tests.orchestration.kafka import own_broker, the_cluster
from tests.servers.mineru_server import MineruServer
from tests.waiting import wait_until

pytestmark = pytest.mark.needs_service("kafka")
MINERU = AskedConverter(name="mineru")
ROOT = Path(__file__).parents[2]


def a_pdf(text: str) -> bytes:
    content = BytesIO()
    canvas = Canvas(content)
    canvas.drawString(72, 700, text)
    canvas.save()
    return content.getvalue()


def test_the_worker_converts_what_a_host_requests_also_after_a_kill(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    objects = open_objects((tmp_path / "objects").as_uri())
    with own_broker(tmp_path / "services") as broker, MineruServer() as mineru:
        environment = {
            **os.environ,
            "MEDKG_PDF_QUEUE": "kafka",
            "MEDKG_KAFKA_BROKERS": broker.brokers,
            "MEDKG_OBJECTS_URL": (tmp_path / "objects").as_uri(),
            "MEDKG_DATA_DIR": str(tmp_path / "worker"),
            "MEDKG_MINERU_URL": mineru.url,
        }

        def a_worker() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-m", "ops.examples.mineru_worker"], cwd=ROOT, env=environment
            )

        stage = PdfIr(ledger.pdf_tasks, objects, lambda _: MineruConverter(mineru.url), "pdf_ir", "mineru")
        contexts = taken(ledger, claimed(ledger, a_job(ledger, an_item("one"), an_item("two"))))
        keys = []
        for ctx in contexts:
            pdf = a_payload(a_pdf(f"Paper {ctx.doc_id}"), "pdf", doc_id=ctx.doc_id)
            (payload,) = stage.execute(ctx.with_metadata(version="v1"), [pdf])
            keys.append(payload.stored or "")
        queue = KafkaConversionQueue(
            the_cluster(broker.brokers), "results", {ConversionCompleted, ConversionFailed}
        )
        driver = QueuedConversions(ledger.pdf_tasks, lambda: objects, queue, "ledger", OWNER, everyone_alive)
        conversions = PdfConversions(ledger.pdf_tasks, driver)
        killed = a_worker()
        conversions.sweep()
        killed.kill()
        killed.wait()
        worker = a_worker()

        def is_done() -> bool:
            conversions.sweep()
            return not ledger.pdf_tasks.converters()

        wait_until(is_done, process=worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        conversions.close()
    assert all(objects.get(key) is not None for key in keys)
    ledger.close()


@pytest.mark.parametrize("missing", ["MEDKG_MINERU_URL", "MEDKG_PDF_QUEUE"])
def test_a_worker_without_a_setting_names_it(missing: str, tmp_path: Path) -> None:
    settings = {
        "MEDKG_MINERU_URL": "http://127.0.0.1:1",
        "MEDKG_PDF_QUEUE": "kafka",
        "MEDKG_DATA_DIR": str(tmp_path),
    }
    del settings[missing]
    ended = subprocess.run(
        [sys.executable, "-m", "ops.examples.mineru_worker"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert f"{missing} is not set" in ended.stderr
