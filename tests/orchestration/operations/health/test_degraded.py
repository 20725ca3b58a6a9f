"""What is degraded, with cause and next step; each kind appears, and goes away when it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.contracts import Gate, WaitingDocument
from orchestration.contracts.facts import (
    AlertChanged,
    BreakerChanged,
    Fact,
    FactBody,
    ResourceChanged,
    ServiceWaited,
)
from orchestration.contracts.gates import AskedConverter, Obstacle, UnavailableConverter
from orchestration.contracts.host import HostStatus
from orchestration.contracts.outbox import OutboxReader, OutboxState
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.formats.last_checks import last_check, note_check
from orchestration.operations.health import degraded as module
from orchestration.operations.health.degradation import Degradation, advice
from orchestration.operations.health.degraded import degraded
from orchestration.records import DocumentKey
from orchestration.settings import load_settings
from tests.present import present

NOW = 1_780_000_000.0


def a_fact(body: FactBody, seconds_ago: float) -> Fact:
    """An observed fact."""
    return Fact(
        sequence=1,
        position=1,
        ledger="l",
        happened_at=NOW - seconds_ago,
        pipeline_name="auto",
        body=body,
    )


def a_reader(**values: Any) -> OutboxReader:
    """A reader that is well."""
    well: dict[str, Any] = {
        "name": "kafka",
        "position": 9,
        "behind": 0,
        "oldest_at": None,
        "dropped": 0,
        "owner": "relay",
        "problem": None,
    }
    return OutboxReader(**{**well, **values})


def parts(
    tmp_path: Path,
    *,
    facts: Sequence[Fact] = (),
    readers: Sequence[OutboxReader] = (),
    overdue: Sequence[WaitingDocument] = (),
    letters: dict[tuple[str, str], int] | None = None,
) -> Any:
    """Parts of a data folder with these readings, the newest facts first."""
    outbox = SimpleNamespace(
        recent=lambda kinds, since, limit: [
            fact for fact in facts if fact.body.kind in kinds and fact.happened_at >= since
        ][:limit],
        state=lambda: OutboxState(facts=0, oldest_at=None, readers=tuple(readers)),
    )
    counts = SimpleNamespace(counts_since=lambda tenant, moment: letters or {})
    return SimpleNamespace(
        settings=load_settings(data_dir=tmp_path),
        ledger=SimpleNamespace(outbox=outbox, dead_letters=counts),
        gates=SimpleNamespace(overdue=lambda tenant, now, limit: list(overdue)),
    )


def found(parts: Any, host: HostStatus | None = None) -> list[Degradation]:
    """What is degraded at the moment of the tests, but for this machine's disks."""
    return [each for each in degraded(parts, host, NOW) if not each.subject.startswith("disk")]


def test_nothing_is_degraded_where_all_is_well(tmp_path: Path) -> None:
    assert found(parts(tmp_path, readers=[a_reader(behind=3, oldest_at=NOW - 2)])) == []


def test_an_open_breaker_has_its_cause_and_the_next_step(tmp_path: Path) -> None:
    body = BreakerChanged(stage="auto/embed", resource="vllm:8000", state="open", code="MEDKG-400")
    (each,) = found(parts(tmp_path, facts=[a_fact(body, 30)]))
    assert each.subject == "breaker auto/embed for vllm:8000"
    assert each.cause.startswith("open: calls failed again and again (MEDKG-400: ")
    assert each.next_step
    assert each.since == NOW - 30


def test_a_breaker_that_closed_or_was_left_open_by_an_ended_process_is_not_degraded(tmp_path: Path) -> None:
    opened = BreakerChanged(stage="auto/embed", state="open")
    closed = BreakerChanged(stage="auto/embed", state="closed")
    assert found(parts(tmp_path, facts=[a_fact(closed, 10), a_fact(opened, 30)])) == []
    assert found(parts(tmp_path, facts=[a_fact(opened, 901)])) == []
    (again,) = found(parts(tmp_path, facts=[a_fact(opened, 5), a_fact(closed, 10)]))
    assert again.since == NOW - 5


def test_a_service_is_waited_for_until_the_next_try_is_long_over(tmp_path: Path) -> None:
    body = ServiceWaited(stage="embed", code="MEDKG-401", wait_ms=30_000)
    (each,) = found(parts(tmp_path, facts=[a_fact(body, 40), a_fact(body, 70), a_fact(body, 200)]))
    assert (each.subject, each.code) == ("stage auto/embed", "MEDKG-401")
    assert each.since == NOW - 70
    assert found(parts(tmp_path, facts=[a_fact(body, 46)])) == []


def test_a_resource_and_an_alert_hold_until_they_end(tmp_path: Path) -> None:
    gone = ResourceChanged(resource="gpu 0", available=False, code="MEDKG-901", message="Xid 79")
    back = ResourceChanged(resource="gpu 0", available=True)
    firing = AlertChanged(alert="GpuSick", firing=True, severity="critical", summary="GPU 0 is lost.")
    resource, alert = found(parts(tmp_path, facts=[a_fact(gone, 3_000), a_fact(firing, 4_000)]))
    assert (resource.subject, resource.cause) == ("gpu 0", "Xid 79")
    assert alert.next_step == "docs/guides/runbooks.md#gpusick"
    assert found(parts(tmp_path, facts=[a_fact(back, 1), a_fact(gone, 3_000)])) == []


def test_a_reader_that_is_behind_says_how_far_and_why(tmp_path: Path) -> None:
    late = a_reader(behind=1_234, oldest_at=NOW - 4_000, problem="the broker does not answer.")
    (each,) = found(parts(tmp_path, readers=[late]))
    assert each.subject == "reader kafka"
    assert each.cause == "1,234 facts behind, the oldest 1 h 6 min old: the broker does not answer."
    without_relay = a_reader(behind=5, oldest_at=NOW - 61, owner=None)
    (each,) = found(parts(tmp_path, readers=[without_relay]))
    assert each.next_step.startswith("No relay runs")


def test_dropped_facts_are_shown(tmp_path: Path) -> None:
    (each,) = found(parts(tmp_path, readers=[a_reader(dropped=1_000)]))
    assert each.cause.startswith("1,000 facts were dropped")


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


def test_a_backup_is_old_after_two_days_where_backups_are_made(tmp_path: Path) -> None:
    note_check(tmp_path, "backup", at=NOW - 2 * 86_400, place="/backups/monday")
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
    assert (replica.subject, replica.cause) == ("embedder replica 1", "GPU 1: Xid 79")
    assert (converter.subject, converter.cause) == ("PDF converter mineru", "mineru does not answer.")


def test_a_fault_that_the_host_states_and_has_noted_is_shown_once_with_its_time(tmp_path: Path) -> None:
    broken = {"embedder": [{"fault": "GPU 0: Xid 79"}]}
    host = HostStatus(pid=1, kept=True, profile="gpu", plane="ready", plane_health=broken)
    name = "embedder replica 0"  # as the host's children have it
    lost = a_fact(ResourceChanged(resource=name, available=False, message="GPU 0: Xid 79"), 60)
    (each,) = found(parts(tmp_path, facts=[lost]), host)
    assert (each.subject, each.cause, each.since) == (name, "GPU 0: Xid 79", NOW - 60)


def test_a_ledger_that_does_not_answer_is_named_once_and_costs_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_SECONDS", 0.05)
    slow = parts(tmp_path)
    slow.ledger.outbox.recent = lambda *_: time.sleep(2)
    (each,) = found(slow)
    assert each.subject == "ledger"
    assert "has not answered in 0.05 s" in each.cause


def test_an_error_of_one_reading_leaves_the_others(tmp_path: Path) -> None:
    def gone(*_: object) -> Any:
        raise DagsterResourceUnavailableError("the ledger's server does not answer.")

    broken = parts(tmp_path, letters={("parse", "MEDKG-200"): 30})
    broken.ledger.outbox.recent = broken.ledger.outbox.state = gone
    error, letters = found(broken)
    assert error.cause == "the ledger's server does not answer."
    assert letters.subject == "dead letters"
