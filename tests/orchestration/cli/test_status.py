"""`medkg status` and `doctor` name what is degraded."""

from __future__ import annotations

import time
from pathlib import Path

from orchestration.assembly.assembled import Assembly
from orchestration.contracts import SourceRequest
from orchestration.contracts.facts import BreakerChanged, ServiceWaited
from orchestration.contracts.outbox import Observation
from orchestration.formats.last_checks import last_check, note_check
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg
from tests.present import present


def test_many_dead_letters_of_the_last_hour_are_degraded_in_status_and_doctor(
    medkg: Medkg, tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number}.xml").write_bytes(b"\x00\x01")
    assembly = Assembly(load_settings(data_dir=medkg.data_dir))
    topology = assembly.topologies.load("auto")
    request = SourceRequest(plugin="files", paths=(str(folder),))
    submission = assembly.submissions.open(
        topology, request, tenant_id="default", window_size=100, attended=False
    )
    for _ in assembly.submissions.enqueue(submission, topology):
        pass
    assembly.close()

    (letters,) = medkg("status")["degraded"]
    assert letters["cause"] == "25 within the last hour, 25 of them in enumerate with MEDKG-206"
    assert medkg("doctor")["degraded"] == [letters]
    text = medkg.text("status")
    assert f"degraded dead letters: {letters['cause']}" in text
    assert letters["next_step"] in text
    assert Medkg(medkg.data_dir, tenant="another")("status")["degraded"] == []


def test_status_knows_the_age_of_the_last_backup(medkg: Medkg, tmp_path: Path) -> None:
    medkg("status")
    medkg("backup", str(tmp_path / "backup"))
    noted = present(last_check(medkg.data_dir, "backup"))
    assert noted.place == str(tmp_path / "backup")
    assert abs(present(noted.succeeded_at) - time.time()) < 600
    assert medkg("status")["degraded"] == []

    note_check(medkg.data_dir, "backup", at=time.time() - 9 * 86_400, place="/backups/monday")
    (backup,) = medkg("status")["degraded"]
    assert backup["cause"] == "the last one, to /backups/monday, is 9 d old"


def test_a_verification_is_noted_with_its_differences(medkg: Medkg) -> None:
    medkg("status")
    medkg("verify")
    assert present(last_check(medkg.data_dir, "verify")).differences == 0


def note(medkg: Medkg, *observations: Observation) -> None:
    """What a process of the data folder observed."""
    assembly = Assembly(load_settings(data_dir=medkg.data_dir))
    assembly.ledger.outbox.note(observations)
    assembly.close()


def test_status_and_doctor_name_an_open_breaker_until_it_closes(medkg: Medkg) -> None:
    assert medkg("status")["degraded"] == []
    now = time.time()
    opened = BreakerChanged(stage="auto/ingest", resource="api.example.org", state="open", code="MEDKG-400")
    waits = ServiceWaited(stage="embed", code="MEDKG-405", wait_ms=1_000)
    note(
        medkg,
        Observation(opened, now - 5),
        Observation(waits, now - 4, tenant_id="default", pipeline_name="auto"),
    )
    subjects = ["stage auto/embed", "breaker auto/ingest for api.example.org"]
    assert [each["subject"] for each in medkg("status")["degraded"]] == subjects
    text = medkg.text("status")
    assert "degraded breaker auto/ingest for api.example.org since " in text
    assert "MEDKG-400" in text

    closed = BreakerChanged(stage="auto/ingest", resource="api.example.org", state="closed")
    note(medkg, Observation(closed, now - 1))
    assert [each["subject"] for each in medkg("status")["degraded"]] == subjects[:1]


def test_status_names_a_reader_that_no_relay_reads_for(medkg: Medkg) -> None:
    medkg("status")
    assembly = Assembly(load_settings(data_dir=medkg.data_dir))
    outbox = assembly.ledger.outbox
    outbox.note([Observation(BreakerChanged(stage="a/b", state="closed"), time.time() - 3_600)])
    outbox.lease("kafka", "relay")
    outbox.release("kafka", "relay", "the brokers do not answer.")
    assembly.close()

    (reader,) = medkg("status")["degraded"]
    assert reader["subject"] == "reader kafka"
    assert reader["cause"].startswith("1 facts behind, the oldest 1 h")
    assert reader["cause"].endswith("the brokers do not answer.")
