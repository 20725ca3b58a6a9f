"""What is degraded, with cause and next step; each kind appears, and goes away when it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.contracts import Gate, WaitingDocument
from orchestration.contracts.gates import AskedConverter, Obstacle, UnavailableConverter
from orchestration.contracts.host import HostStatus
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.operations.health import degraded as module
from orchestration.operations.health.degradation import Degradation, advice
from orchestration.operations.health.degraded import degraded
from orchestration.operations.last_checks import last_check, note_check
from orchestration.records import DocumentKey
from orchestration.settings import load_settings
from tests.present import present

NOW = 1_780_000_000.0


def parts(
    tmp_path: Path,
    *,
    overdue: Sequence[WaitingDocument] = (),
    letters: dict[tuple[str, str], int] | None = None,
) -> Any:
    """Parts of a data folder with these readings."""
    counts = SimpleNamespace(counts_since=lambda tenant, moment: letters or {})
    return SimpleNamespace(
        settings=load_settings(data_dir=tmp_path),
        ledger=SimpleNamespace(dead_letters=counts),
        gates=SimpleNamespace(overdue=lambda tenant, now, limit: list(overdue)),
    )


def found(parts: Any, host: HostStatus | None = None) -> list[Degradation]:
    """What is degraded at the moment of the tests, but for this machine's disks."""
    return [each for each in degraded(parts, host, NOW) if not each.subject.startswith("disk")]


def test_nothing_is_degraded_where_all_is_well(tmp_path: Path) -> None:
    assert found(parts(tmp_path)) == []


def test_documents_that_wait_longer_than_their_gate_allows_are_counted_by_gate(tmp_path: Path) -> None:
    gate = Gate(pipeline_name="pdf-two-phase", pipeline_version="v", name="pdf_ir_ready")
    waiting = [
        WaitingDocument(
            key=DocumentKey(tenant_id="default", source="files", doc_id=str(number)),
            gate=gate,
            since=NOW - 9_000 + number,
            pdf_downloaded=True,
            pdf_ir_ready=False,
            job_id="j",
            correlation_id="c",
        )
        for number in range(3)
    ]
    (each,) = found(parts(tmp_path, overdue=waiting))
    assert each.subject == "gate pdf-two-phase/pdf_ir_ready"
    assert each.cause == "3 documents wait longer than its timeout_seconds"
    assert each.since == NOW - 9_000


def test_many_dead_letters_within_an_hour_name_their_most_frequent_cause(tmp_path: Path) -> None:
    assert found(parts(tmp_path, letters={("parse", "MEDKG-200"): 19})) == []
    (each,) = found(parts(tmp_path, letters={("parse", "MEDKG-200"): 18, ("embed", "MEDKG-300"): 2}))
    assert each.cause == "20 within the last hour, 18 of them in parse with MEDKG-200"
    assert each.next_step == f"`medkg dlq list` shows them. {advice('MEDKG-200')}"


def test_a_backup_is_old_after_a_week_where_backups_are_made(tmp_path: Path) -> None:
    note_check(tmp_path, "backup", at=NOW - 7 * 86_400, place="/backups/monday")
    assert found(parts(tmp_path)) == []
    note_check(tmp_path, "backup", at=NOW - 8 * 86_400 - 3_600, place="/backups/monday")
    (each,) = found(parts(tmp_path))
    assert each.cause == "the last one, to /backups/monday, is 8 d 1 h old"


def test_differences_that_a_verification_left_are_shown_until_one_finds_none(tmp_path: Path) -> None:
    note_check(tmp_path, "verify", at=NOW - 500)
    note_check(tmp_path, "verify", at=NOW - 300, differences=3)
    (each,) = found(parts(tmp_path))
    assert each.cause == "the last `medkg verify` left 3 differences between ledger and stores"
    assert each.since == NOW - 500
    note_check(tmp_path, "verify", at=NOW)
    assert found(parts(tmp_path)) == []
    assert present(last_check(tmp_path, "verify")).succeeded_at == NOW


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(total=100e9, used=98e9, free=2e9)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    subjects = [each.subject for each in degraded(parts(tmp_path), None, NOW)]
    assert subjects[0] == f"disk of {tmp_path}"


def test_faults_of_replicas_and_converters_come_from_the_host(tmp_path: Path) -> None:
    host = HostStatus(
        pid=1,
        kept=True,
        profile="gpu",
        plane="ready",
        plane_health={"embedder": [{"fault": None}, {"fault": "GPU 1: Xid 79"}]},
        unavailable_converters=(
            UnavailableConverter(
                requested=AskedConverter(name="mineru"),
                obstacle=Obstacle(code="MEDKG-401", message="mineru does not answer."),
            ),
        ),
    )
    replica, converter = found(parts(tmp_path), host)
    assert (replica.subject, replica.cause) == ("replica embedder-1", "GPU 1: Xid 79")
    assert (converter.subject, converter.cause) == ("PDF converter mineru", "mineru does not answer.")


def test_a_ledger_that_does_not_answer_is_named_once_and_costs_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_SECONDS", 0.05)
    slow = parts(tmp_path)
    slow.ledger.dead_letters.counts_since = lambda *_: time.sleep(2)
    (each,) = found(slow)
    assert each.subject == "ledger"
    assert "has not answered in 0.05 s" in each.cause


def test_an_error_of_one_reading_leaves_the_others(tmp_path: Path) -> None:
    def gone(*_: object) -> Any:
        raise DagsterResourceUnavailableError("the ledger's server does not answer.")

    broken = parts(tmp_path, letters={("parse", "MEDKG-200"): 30})
    broken.gates.overdue = gone
    error, letters = found(broken)
    assert error.cause == "the ledger's server does not answer."
    assert letters.subject == "dead letters"
