"""Every alert fires when it should and resolves, by promtool; each has its texts and its runbook."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ops.prometheus import OBSERVABILITY, RULES, needs, rules

RUNBOOKS = Path(__file__).parents[2] / "docs" / "guides" / "runbooks.md"
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
DAY = 1440


@dataclass(frozen=True)
class Case:
    """Series by minute (promtool's notation), and minutes at which the alert fires and does not."""

    series: dict[str, str]
    fires: int
    quiet: int
    """Before it fires, or after it resolved."""
    resolved: int


def counter(*parts: tuple[int, int]) -> str:
    """(increase per minute, minutes) after a zero."""
    text, value = "0", 0
    for step, minutes in parts:
        text += f" {value + step}+{step}x{minutes - 1}"
        value += step * minutes
    return text


JOBS = 'dagster_job_duration_seconds_count{pipeline="auto",status="%s"}'
BUCKET = 'dagster_stage_duration_seconds_bucket{stage="parse",status="success",le="%s"}'
FINISHED = 'medkg_documents_finished_total{pipeline="auto",outcome="%s"}'
UP = 'up{job="medkg",instance="i"}'
READY = 'medkg_plane_ready{profile="cpu",instance="i"}'
SUCCESS = 'medkg_last_success_timestamp_seconds{check="%s",instance="i"}'

CASES = {
    "DagsterJobFailureRateHigh": Case(
        {
            JOBS % "failed": counter((0, 10), (1, 10), (0, 30)),
            JOBS % "succeeded": counter((4, 50)),
        },
        fires=15,
        quiet=9,
        resolved=30,
    ),
    "DagsterStageLatencyHigh": Case(
        {
            BUCKET % "120.0": counter((9, 30), (0, 30), (9, 60)),
            BUCKET % "300.0": counter((9, 120)),
            BUCKET % "+Inf": counter((9, 120)),
        },
        fires=55,
        quiet=29,
        resolved=119,
    ),
    "DagsterSensorStalled": Case(
        {'medkg_sensor_last_tick_timestamp_seconds{sensor="s",instance="i"}': "0+60x9 540x10 1200+60x20"},
        fires=15,
        quiet=9,
        resolved=25,
    ),
    "DagsterCircuitBreakerOpen": Case(
        {
            'dagster_circuit_breaker_state{stage="web",state="open"}': "0x4 1x3 0x1 1x6 0x20",
            'dagster_circuit_breaker_state{stage="web",state="half-open"}': "0x8 1x1 0x40",
        },
        fires=12,
        quiet=4,
        resolved=25,
    ),
    "DagsterJobQueueBacklog": Case(
        {
            'medkg_jobs{state="open",instance="i"}': "90x5 101x15 3x20",
            'medkg_jobs{state="stalled",instance="i"}': "500x40",
        },
        fires=15,
        quiet=5,
        resolved=25,
    ),
    "MedkgDeadLettersRising": Case(
        {
            FINISHED % "failed": counter((0, 10), (2, 20), (0, 60)),
            FINISHED % "committed": counter((10, 90)),
        },
        fires=25,
        quiet=9,
        resolved=70,
    ),
    "MedkgQueueStuck": Case(
        {
            'medkg_queue_oldest_seconds{pipeline="auto",instance="i"}': "0+60x60 0x20",
            'medkg_windows_in_work{instance="i"}': "0x80",
        },
        fires=50,
        quiet=25,
        resolved=70,
    ),
    "MedkgGateOverdue": Case(
        {'medkg_gate_oldest_seconds{pipeline="p",gate="g",instance="i"}': "600x10 1900x10 _x1 stale"},
        fires=17,
        quiet=9,
        resolved=30,
    ),
    "MedkgOutboxLag": Case(
        {'medkg_outbox_lag_seconds{reader="kafka",instance="i"}': "2x10 400x10 1x10"},
        fires=17,
        quiet=9,
        resolved=25,
    ),
    "MedkgOutboxDropping": Case(
        {'medkg_outbox_dropped_total{reader="kafka",instance="i"}': "0x10 50x40"},
        fires=15,
        quiet=9,
        resolved=40,
    ),
    "MedkgStoresDiffer": Case(
        {'medkg_verify_differences{instance="i"}': "0x5 3x5 0x10"}, fires=8, quiet=4, resolved=15
    ),
    "MedkgVerifyOld": Case(
        {SUCCESS % "verify": f"0x{7 * DAY + 60} {60 * (7 * DAY + 60)}x30"},
        fires=7 * DAY + 30,
        quiet=7 * DAY - 30,
        resolved=7 * DAY + 80,
    ),
    "MedkgBackupOld": Case(
        {SUCCESS % "backup": f"0x{2 * DAY + 60} {60 * (2 * DAY + 60)}x30"},
        fires=2 * DAY + 30,
        quiet=2 * DAY - 30,
        resolved=2 * DAY + 80,
    ),
    "MedkgGpuSick": Case(
        {'medkg_gpu_temperature_celsius{gpu="0",instance="i"}': "70x10 95x10 70x10"},
        fires=15,
        quiet=9,
        resolved=25,
    ),
    "MedkgDiskFilling": Case(
        {
            'medkg_disk_free_bytes{disk="data",instance="i"}': "200x60 200-1x59 800x90",
            'medkg_disk_size_bytes{disk="data",instance="i"}': "1000x240",
        },
        fires=119,
        quiet=59,
        resolved=205,
    ),
    "MedkgEndpointDown": Case({UP: "1x5 0x5 1x10"}, fires=9, quiet=4, resolved=15),
    "MedkgHostDown": Case({'medkg_host_up{instance="i"}': "1x5 0x5 1x10"}, fires=9, quiet=4, resolved=15),
    "MedkgProcessDown": Case(
        {'medkg_process_up{process="daemon",instance="i"}': "1x5 0x10 1x10"}, fires=13, quiet=4, resolved=20
    ),
    "MedkgScrapePartDown": Case(
        {'medkg_scrape_part_up{part="ledger",instance="i"}': "1x5 0x10 1x10"}, fires=13, quiet=4, resolved=20
    ),
    "MedkgAvailabilityBurnFast": Case(
        {UP: "1x200", READY: "1x60 0x20 1x120"}, fires=75, quiet=59, resolved=150
    ),
    "MedkgAvailabilityBurnSlow": Case(
        {UP: "1x700", READY: "1x60 0x60 1x580"}, fires=115, quiet=59, resolved=200
    ),
}


def test_every_alert_has_a_case() -> None:
    assert CASES.keys() == ALERTS.keys()


@needs("promtool")
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_and_resolves(alert: str, tmp_path: Path) -> None:
    case = CASES[alert]
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    moments = {case.fires: [{"labels": "{}", "value": 1}], case.quiet: [], case.resolved: []}
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    {"expr": firing, "eval_time": f"{minute}m", "exp_samples": samples}
                    for minute, samples in sorted(moments.items())
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
def test_an_endpoint_that_is_no_target_is_down(tmp_path: Path) -> None:
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [],
                "promql_expr_test": [
                    {
                        "expr": 'count(ALERTS{alertname="MedkgEndpointDown",alertstate="firing"})',
                        "eval_time": "5m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_severity_texts_and_a_section_in_the_runbooks(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()
    assert rule["annotations"]["runbook_url"] == f"docs/guides/runbooks.md#{alert.lower()}"
    assert re.search(rf"^## {alert}$", RUNBOOKS.read_text(), re.MULTILINE)


@needs("promtool")
def test_prometheus_takes_its_configuration() -> None:
    config = OBSERVABILITY / "prometheus" / "prometheus.yml"
    done = subprocess.run(
        ["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs("amtool")
def test_alertmanager_takes_its_configuration() -> None:
    config = OBSERVABILITY / "alertmanager" / "alertmanager.yml"
    done = subprocess.run(
        ["amtool", "check-config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
