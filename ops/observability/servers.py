"""Prometheus and Alertmanager of this machine, with the shipped configuration and other addresses.

Comes in: the configuration of this folder, what to scrape, a folder for data. Leaves: processes, ended with
the context. Debian: apt-get install prometheus prometheus-alertmanager.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from ruamel.yaml import YAML
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

__all__ = ["alertmanager", "free_port", "missing_programs", "prometheus", "waited_for"]

FOLDER: Final = Path(__file__).parent
ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")
"""Debian's name of the program, and upstream's."""

READY_SECONDS: Final = 30.0


def missing_programs() -> list[str]:
    """Which of the two programs this machine lacks."""
    paths = {"prometheus": shutil.which("prometheus"), "alertmanager": _alertmanager()}
    return [name for name, path in paths.items() if path is None]


def free_port() -> int:
    """A port of 127.0.0.1 that no process listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@contextmanager
def prometheus(
    folder: Path, targets: Sequence[str], ray: Path | Sequence[str], alerts_to: str | None, interval: str
) -> Iterator[str]:
    """Run Prometheus with the shipped rules; returns its address once it is ready.

    `targets`: host:port of /metrics; `ray`: Ray's file of targets, or targets; `alerts_to`: host:port of
    Alertmanager; `interval`: of scrapes and rules.
    """
    config = YAML(typ="safe").load(FOLDER / "prometheus" / "prometheus.yml")
    config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    config["rule_files"] = [str(FOLDER / "prometheus" / name) for name in config["rule_files"]]
    own, of_ray = config["scrape_configs"]
    own["static_configs"] = [{"targets": list(targets)}]
    if isinstance(ray, Path):
        of_ray["file_sd_configs"][0]["files"] = [str(ray)]
    else:
        del of_ray["file_sd_configs"]
        of_ray["static_configs"] = [{"targets": list(ray)}]
    config["alerting"] = {}
    if alerts_to is not None:
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alerts_to]}]}]
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={_written(folder / 'prometheus.yml', config)}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    with _running(command, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield f"http://{address}"


@contextmanager
def alertmanager(folder: Path, changes: Mapping[str, Mapping[str, Any]], group_wait: str) -> Iterator[str]:
    """Run Alertmanager with the shipped routes; returns host:port once it is ready.

    `changes`: by receiver, what replaces parts of its first configuration (addresses, secrets).
    """
    config = YAML(typ="safe").load(FOLDER / "alertmanager" / "alertmanager.yml")
    config["route"]["group_wait"] = group_wait
    for receiver in config["receivers"]:
        (of_receiver,) = (value for name, value in receiver.items() if name != "name")
        of_receiver[0].update(changes.get(receiver["name"], {}))
    program, address = _alertmanager(), f"127.0.0.1:{free_port()}"
    assert program is not None, "see missing_programs"
    command = [
        program,
        f"--config.file={_written(folder / 'alertmanager.yml', config)}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with _running(command, folder / "alertmanager.log", f"http://{address}/-/ready"):
        yield address


def _alertmanager() -> str | None:
    return next(filter(None, map(shutil.which, ALERTMANAGER)), None)


def _written(path: Path, config: Mapping[str, Any]) -> Path:
    YAML(typ="safe").dump(dict(config), path)
    return path


@contextmanager
def _running(command: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, cwd=FOLDER / "prometheus") as process,
    ):
        try:
            ended_or_ready = _until(lambda: process.poll() is not None or _answers(ready), READY_SECONDS)
            if not ended_or_ready or process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(encoding='utf-8')[-2000:]}")
            yield
        finally:
            process.terminate()


def waited_for(url: str, seconds: float) -> bool:
    """Whether an address answered within `seconds`."""
    return _until(lambda: _answers(url), seconds)


def _until(look: Callable[[], bool], seconds: float) -> bool:
    waiting = Retrying(
        retry=retry_if_result(lambda answers: not answers),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda _: False,
    )
    return bool(waiting(look))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
