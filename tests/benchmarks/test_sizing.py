"""The model of GPUs and cores: it adds up, and says how far it was from what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.sizing import cost_of, needed
from orchestration.errors import UsageError


def a_result(gpus: list[str]) -> dict[str, Any]:
    hot = {
        "documents": {"committed": 1_000},
        "docs_per_second": 20.0,
        "cpu_seconds_by_stage": {"parse": 6.0, "embed": 44.0},
        "model_cpu_seconds": 40.0,
        "disk_bytes_per_document": 10_000,
    }
    return {
        "hardware": {"cores": 2, "gpus": gpus},
        "cases": {
            "dense": {"docs_per_second": {"plane": 50.0}},
            "sparse": {"docs_per_second": {"plane": 50.0}},
            "launch": {"hot": hot},
        },
    }


def test_on_a_cpu_models_and_the_rest_share_the_cores() -> None:
    cost = cost_of(a_result(gpus=[]))

    assert (cost.device_seconds, cost.core_seconds) == pytest.approx((0.04, 0.01))
    assert cost.model_rate == pytest.approx(1 / 0.045)
    assert cost.model_to_measured == pytest.approx(1 / 0.045 / 20)


def test_with_a_gpu_the_slower_of_both_sets_the_rate() -> None:
    assert cost_of(a_result(gpus=["one"])).model_rate == pytest.approx(25.0)


def test_ten_times_the_documents_need_ten_times_the_devices() -> None:
    some, many = (needed(a_result(["one"]), count, days=7) for count in (1e8, 1e9))

    assert some.devices == 9 and many.devices == 83
    assert many.device_hours == pytest.approx(10 * some.device_hours)
    assert some.disk_terabytes == pytest.approx(1.0)


def test_a_result_without_the_cases_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="lacks dense, sparse, launch"):
        cost_of({"hardware": {"cores": 2, "gpus": []}, "cases": {}})
