"""Every way in which a GPU can fail, simulated by a library that pynvml really loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpu_actors.health.gpu import ALARMS_FOR_FAULT, Watch, preflight, visible_gpus
from gpu_actors.health.gpu_use import gpu_use
from gpu_actors.profiles import Profile, get_profile
from orchestration.errors import GpuUnavailableError
from tests.waiting import wait_until

SOURCE = Path(__file__).with_name("nvml_stand_in.c")
COMPILER = shutil.which("cc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler for the stand-in library")

GPU: Profile = get_profile("gpu")
GIB = 2**30


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in as libnvidia-ml.so.1; its folder goes into LD_LIBRARY_PATH."""
    path = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    assert COMPILER is not None
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([COMPILER, *flags, "-o", str(path), str(SOURCE)], check=True)
    return path


SetReading = Callable[..., None]


@pytest.fixture
def set_reading(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetReading]:
    """Says what the library answers from now on; `_0_ecc=3` is the key `0.ecc`."""
    import ctypes

    import pynvml

    answers = tmp_path / "answers"
    monkeypatch.setenv("NVML_STAND_IN", str(answers))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})

    def write(**values: object) -> None:
        lines = [f"{name.lstrip('_').replace('_', '.')} {value}\n" for name, value in values.items()]
        partial = answers.with_suffix(".new")
        partial.write_text("".join(lines))
        partial.replace(answers)

    write(count=1)
    yield write
    monkeypatch.undo()


# --- while a stage ran --------------------------------------------------------------------------------


def test_the_use_of_a_gpu_is_that_of_the_samples_since_then(set_reading: SetReading) -> None:
    set_reading(
        count=1,
        _0_name="H200",
        _0_samples="1000000:5 2000000:90 3000000:40",
        _0_free=100 * GIB,
        _0_total=140 * GIB,
    )

    (use,) = gpu_use(since=1.5)

    assert (use.name, use.mean_percent, use.peak_percent, use.used_gib) == ("H200", 65, 90, 40)


@pytest.mark.parametrize("status", [0, 3])
def test_a_gpu_without_samples_has_the_last_reading(set_reading: SetReading, status: int) -> None:
    set_reading(count=1, _0_utilisation=7, _0_nvmlDeviceGetSamples_error=status)

    (use,) = gpu_use(since=0)

    assert (use.mean_percent, use.peak_percent) == (7, 7)


def test_a_machine_without_a_driver_has_no_use(set_reading: SetReading) -> None:
    set_reading(init=9)

    assert gpu_use(since=0) == []


# --- before a model is loaded -----------------------------------------------------------------------


def test_a_fit_gpu_is_described(set_reading: SetReading) -> None:
    set_reading(
        count=1, _0_name="H200", _0_utilisation=7, _0_temperature=31, _0_free=140 * GIB, _0_total=141 * GIB
    )

    (gpu,) = preflight(GPU)

    assert (gpu.name, gpu.compute_capability, gpu.free_gib, gpu.total_gib) == ("H200", (9, 0), 140, 141)
    assert (gpu.utilisation, gpu.temperature, gpu.slowed_by, gpu.ecc_errors) == (7, 31, (), 0)
    assert gpu.fault is None


def test_the_cpu_profile_asks_nothing(set_reading: SetReading) -> None:
    set_reading(init=999)

    assert preflight(get_profile("cpu")) == []


UNFIT: dict[str, tuple[dict[str, object], str]] = {
    "no device": ({"count": 0}, "none is present"),
    "driver away": ({"init": 9}, "NVML reports: .*Install NVIDIA's driver"),
    "old": ({"count": 1, "_0_capability": "6.1"}, "compute capability 6.1 is below 7.0"),
    "full": ({"count": 1, "_0_free": 3 * GIB}, "3.0 GiB free, 8 needed"),
    "bad memory": ({"count": 1, "_0_ecc": 2}, "2 uncorrected ECC errors"),
    "hot": ({"count": 1, "_0_reasons": "0x20", "_0_temperature": 92}, r"heat \(driver\) at 92 °C"),
    "very hot": ({"count": 1, "_0_reasons": "0x40"}, r"heat \(hardware\)"),
    "slowed": ({"count": 1, "_0_reasons": "0x8"}, "hardware slowdown"),
    "short of power": ({"count": 1, "_0_reasons": "0x80"}, "power brake"),
    "off the bus": ({"count": 1, "_0_nvmlDeviceGetMemoryInfo_error": 15}, "NVML reports"),
    "locked": ({"count": 1, "_0_nvmlDeviceGetHandleByIndex_error": 4}, "NVML reports"),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_an_unfit_gpu_is_refused_with_exit_code_99_and_its_fault(set_reading: SetReading, fault: str) -> None:
    answers, message = UNFIT[fault]
    set_reading(**answers)

    with pytest.raises(GpuUnavailableError, match=message) as refused:
        preflight(GPU)

    assert refused.value.exit_code == 99 and "--profile cpu" in refused.value.message


def test_one_usable_gpu_is_enough_and_the_fault_of_the_other_one_is_reported(set_reading: SetReading) -> None:
    set_reading(count=2, _0_ecc=1)

    assert [gpu.fault is None for gpu in preflight(GPU)] == [False, True]


def test_a_power_cap_and_idleness_are_daily_life(set_reading: SetReading) -> None:
    set_reading(count=1, _0_reasons="0x5")

    (gpu,) = preflight(GPU)

    assert gpu.slowed_by == ("power cap",) and gpu.fault is None


@pytest.mark.parametrize("status", [3, 4, 13])
def test_a_reading_that_a_device_does_not_support_is_no_fault(set_reading: SetReading, status: int) -> None:
    queries = ("TotalEccErrors", "UtilizationRates", "Temperature", "CurrentClocksEventReasons")
    set_reading(count=1, **{f"_0_nvmlDeviceGet{query}_error": status for query in queries})

    (gpu,) = preflight(GPU)

    assert (gpu.ecc_errors, gpu.utilisation, gpu.temperature, gpu.slowed_by) == (None, None, None, ())


def test_only_the_gpus_given_to_a_process_count(
    set_reading: SetReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_reading(count=3, _2_uuid="GPU-of-mine")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-of-mine")
    assert [gpu.index for gpu in visible_gpus()] == [1, 2]

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(GpuUnavailableError, match="none is present"):
        preflight(GPU)


@pytest.mark.parametrize("name", ["7", "-1", "GPU-of-mine", "GPU"])
def test_a_gpu_that_is_not_there_is_named_with_the_variable_that_names_it(
    set_reading: SetReading, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    set_reading(count=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"1,{name}")

    with pytest.raises(GpuUnavailableError, match=f"CUDA_VISIBLE_DEVICES names '{name}'"):
        preflight(GPU)


def test_doctor_shows_a_table_of_gpus(set_reading: SetReading, library: Path, tmp_path: Path) -> None:
    set_reading(count=2, _0_name="H200", _0_temperature=41, _1_name="L4", _1_reasons="0x40", _1_ecc=3)
    medkg = Path(sys.executable).parent / "medkg"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "COLUMNS": "160"}

    def doctor(*options: str) -> str:
        command = [str(medkg), "--data-dir", str(tmp_path / "data"), "doctor", *options]
        done = subprocess.run(command, env=environment, check=False, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0
        return done.stdout

    shown = doctor()
    for words in ("H200", "41 °C", "L4", "heat (hardware)", "150 of 150 GiB"):
        assert words in shown
    assert [gpu["ecc_errors"] for gpu in json.loads(doctor("--json"))["gpus"]] == [0, 3]


# --- while it serves --------------------------------------------------------------------------------


LOOK = 0.02


def until(happened: Callable[[], bool]) -> None:
    wait_until(happened, poll_seconds=LOOK / 4)


@pytest.fixture
def watched(set_reading: SetReading) -> Iterator[tuple[SetReading, Watch, list[str]]]:
    faults: list[str] = []
    watch = Watch(LOOK, faults.append)
    yield set_reading, watch, faults
    watch.close()


Watched = tuple[SetReading, Watch, list[str]]


def test_heat_that_lasts_makes_a_device_sick_until_it_is_gone(watched: Watched) -> None:
    set_reading, watch, faults = watched
    set_reading(count=1, _0_reasons="0x40", _0_temperature=95)
    until(lambda: watch.fault is not None)
    assert "GPU 0: it is slowed down by heat (hardware) at 95 °C" in str(watch.fault)

    set_reading(count=1)
    until(lambda: watch.fault is None)
    assert len(faults) == 1


def test_a_moments_heat_is_no_sickness(set_reading: SetReading) -> None:
    no_events = {"_0_nvmlDeviceRegisterEvents_error": 3}
    set_reading(count=1, **no_events)
    watch = Watch(600)  # looks by itself only after that
    for hot in (*[True] * (ALARMS_FOR_FAULT - 1), False, True):
        set_reading(count=1, _0_reasons="0x40" if hot else "0", **no_events)
        watch._take_readings(visible_gpus())
        assert watch.fault is None
    watch.close()


def test_a_critical_xid_is_permanent_and_a_programs_own_is_no_fault(watched: Watched) -> None:
    set_reading, watch, faults = watched
    set_reading(count=1, _0_xid=31)
    time.sleep(LOOK * 3)
    assert watch.fault is None

    set_reading(count=1, _0_xid=79)
    until(lambda: watch.fault is not None)
    assert "GPU 0: Xid 79" in str(watch.fault)
    set_reading(count=1)
    time.sleep(LOOK * 3)
    assert "Xid 79" in str(watch.fault) and len(faults) == 1


def test_uncorrected_errors_and_a_lost_device_are_permanent(set_reading: SetReading) -> None:
    for answers, message in (
        ({"_0_ecc": 1}, "1 uncorrected ECC"),
        ({"_0_nvmlDeviceGetMemoryInfo_error": 15}, "NVML reports"),
    ):
        set_reading(count=1)
        watch = Watch(LOOK)
        set_reading(count=1, **answers)
        until(lambda watch=watch: watch.fault is not None)  # type: ignore[misc]
        set_reading(count=1)
        time.sleep(LOOK * 3)
        assert message in str(watch.fault)
        watch.close()


def test_devices_without_events_are_watched_by_their_readings(set_reading: SetReading) -> None:
    set_reading(count=1, _0_nvmlDeviceRegisterEvents_error=3)
    watch = Watch(LOOK)
    set_reading(count=1, _0_nvmlDeviceRegisterEvents_error=3, _0_ecc=4)

    until(lambda: watch.fault is not None)

    assert "4 uncorrected" in str(watch.fault)
    watch.close()
