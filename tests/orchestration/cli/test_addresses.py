"""The lines of `medkg up` and `medkg status` about a host."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.cli.operate import _show_addresses
from orchestration.contracts.host import HostStatus


def shown(capsys: pytest.CaptureFixture[str], plane_health: dict[str, Any]) -> str:
    status = HostStatus(
        pid=7,
        kept=True,
        profile="cpu",
        plane="ready",
        models={"dense": "a@1", "sparse": "b@2"},
        plane_health=plane_health,
    )
    _show_addresses(status.model_dump())
    out, err = capsys.readouterr()
    return out + err


def test_the_dtype_of_each_model_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    health = {"embedders": [{"dtype": "int8"}], "expanders": [{"dtype": "float32"}, {"fault": "gone"}]}

    assert "plane ready with a@1 and b@2 in float32 and int8" in shown(capsys, health)
    assert "plane ready with a@1 and b@2 in int8," in shown(capsys, {"embedders": [{"dtype": "int8"}]})
    assert "plane ready with a@1 and b@2," in shown(capsys, {})
