"""The check finds retries made by hand, and leaves loops alone that are none."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "ops" / "checks" / "no_retry_loops.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = spec_from_file_location("no_retry_loops", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RETRIES = {
    "sleeps after an error": """
        while True:
            try:
                return fetch()
            except OSError:
                time.sleep(1)
        """,
    "sleeps at the end of the turn": """
        for _ in range(5):
            try:
                fetch()
            except OSError as error:
                last = error
            else:
                break
            sleep(2)
        """,
    "awaits a sleep": """
        async def f():
            while not done:
                try:
                    await fetch()
                except OSError:
                    await anyio.sleep(delay)
        """,
    "waits on an event": """
        while not stopped:
            try:
                fetch()
            except OSError:
                pass
            stopped.wait(timeout=5)
        """,
    "waits in the condition": """
        while not stopped.wait(5):
            try:
                fetch()
            except OSError:
                log()
        """,
    "counts attempts in a for": """
        for attempt in range(3):
            try:
                return fetch()
            except OSError:
                continue
        """,
    "counts retries in a while": """
        retries = 0
        while retries < 3:
            try:
                return fetch()
            except OSError:
                retries += 1
        """,
    "lets a library retry": "client = OpenAI(max_retries=3)",
    "lets ray retry": "actor.options(max_task_retries=-1)",
}

OTHERS = {
    "handles items one by one": """
        for item in items:
            try:
                handle(item)
            except ValueError as error:
                failures.append(error)
        """,
    "polls without catching": """
        while not ready():
            time.sleep(0.1)
        """,
    "gives up at the first error": """
        for attempt in range(3):
            try:
                fetch()
            except OSError:
                raise
        """,
    "uses tenacity": """
        async for attempt in AsyncRetrying(stop=stop_after_attempt(3)):
            with attempt:
                await fetch()
        """,
    "only defines a function that sleeps": """
        for name in names:
            try:
                handle(name)
            except ValueError:
                pass
            def later():
                time.sleep(1)
        """,
    "says what it is": """
        while not stopped.wait(60):  # no-retry-loop: renews a lease as long as the stage works
            try:
                renew()
            except OSError:
                log()
        """,
    "retries nothing": "client = OpenAI(max_retries=0)",
    "waits for a process": """
        for process in processes:
            try:
                process.wait()
            except OSError:
                pass
        """,
}


@pytest.mark.parametrize("source", RETRIES.values(), ids=RETRIES)
def test_a_retry_by_hand_is_found(check: ModuleType, source: str) -> None:
    assert len(check.findings(dedent(source), "sample.py")) == 1


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
def test_another_loop_is_left_alone(check: ModuleType, source: str) -> None:
    assert check.findings(dedent(source), "sample.py") == []


def test_an_exemption_must_say_why(check: ModuleType) -> None:
    source = dedent(OTHERS["says what it is"]).replace(" renews a lease as long as the stage works", "")
    assert len(check.findings(source, "sample.py")) == 1


def test_the_command_names_place_and_cause_and_fails(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(dedent(RETRIES["sleeps after an error"]))
    ran = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout.startswith(f"{sample}:2: a loop that catches and sleeps")


def test_the_project_has_none() -> None:
    ran = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
