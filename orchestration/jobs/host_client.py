"""Clients of the host: the one process of a data folder that keeps workers and models.

Input: settings. Output: typed answers of the host's local service. A foreground command that finds no host
starts one as its child, which ends with it; `medkg up` starts one that stays.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestration.contracts import SparseVectors
from orchestration.contracts.host import (
    ALREADY_SERVED,
    HOST_SERVICE,
    ChildState,
    DenseRows,
    HostService,
    HostStatus,
    JobProgress,
    ModelChoice,
    SparseRows,
)
from orchestration.disk_space import full_disk_of
from orchestration.errors import HostUnavailableError, MedkgError
from orchestration.processes.child_process import (
    end_child,
    is_alive,
    log_tail,
    pid_of,
    spawn_child,
    spawn_detached,
)
from orchestration.processes.local_service import LocalClient
from orchestration.processes.typed_service import typed_client
from orchestration.records import Float32Matrix, SparseMatrix
from orchestration.settings import Settings

__all__ = ["Host", "HostClient", "guard_ray", "host_service", "ray_token_path"]

START_SECONDS: Final = 60.0
"""How long a new host may take until it answers; models load after that."""

ENDING_SECONDS: Final = 2.0
"""How long a host may seem to run after it hung up."""

STOP_SECONDS: Final = 30.0
"""How long a host may take to end its runs and children before it is killed."""

SWAP_SECONDS: Final = 600.0
POLL_SECONDS: Final = 0.05
HEALTH_POLL_SECONDS: Final = 0.5
"""A look at the health asks every replica and Dagster process."""


class HostClient:
    """Calls the host that runs; every call raises HostUnavailableError if none does."""

    def __init__(self, settings: Settings, seconds: Mapping[str, float] | None = None) -> None:
        """`seconds`: how long to wait for some verbs, where that is not what HostService says."""
        self._client = LocalClient(settings.data_dir, HOST_SERVICE, after_move=("stop",))
        self._host = host_service(self._client, seconds)

    def is_running(self) -> bool:
        """Whether a live process serves this data folder."""
        return self._client.is_served()

    def status(self, *, with_health: bool = False) -> HostStatus:
        """The state of the host; `with_health` also of its replicas, for 5 s if one hangs."""
        return self._host.status(with_health)

    def work_on(self, job_id: str) -> JobProgress:
        """Have the host claim and run the job's windows until none is left; idempotent."""
        return self._host.work_on(job_id)

    def wait_for_news(self, job_id: str, last_progress: JobProgress, seconds: float) -> JobProgress:
        """The job's progress once it differs from `last_progress`, or after `seconds`."""
        return self._host.wait_for_news(job_id, last_progress.news, seconds)

    def stop_job(self, job_id: str) -> None:
        """Cancel the job's runs and queue its documents again; returns when that is done."""
        self._host.stop_job(job_id)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run and stop its job; False if the host has no such run."""
        return self._host.cancel(run_id)

    def plane_address(self) -> str:
        """Where window workers find the plane; raises PlaneUnavailableError while it starts."""
        return self._host.plane_address()

    def model_ids(self) -> Mapping[str, str]:
        """Model id by leg, of the hot plane."""
        return self.status().models

    def rerank_model(self) -> str | None:
        """Id of the hot plane's cross-encoder; None if it has none."""
        return self.status().rerank_model

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Vectors of chunks, float32 [n, d], and the model that made them, from the hot plane."""
        return _vectors(self._host.embed_texts(list(texts)))

    def embed_queries(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Query vectors, float32 [n, d], and the model that made them, from the hot plane."""
        return _vectors(self._host.embed_queries(list(texts)))

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseVectors:
        """Term weights of chunks from the hot plane."""
        return _term_weights(self._host.encode_sparse_texts(list(texts)))

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseVectors:
        """Term weights of queries from the hot plane."""
        return _term_weights(self._host.encode_sparse_queries(list(texts)))

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """One score per passage, float32 [n], from the cross-encoder of the hot plane."""
        return np.asarray(self._host.rerank(question, list(passages)), dtype=np.float32)

    def close(self) -> None:
        """Nothing: each request has its own connection, and the models are the plane's."""

    def swap_models(self, settings: Settings) -> HostStatus:
        """Have the host switch to the models of these settings; present runs keep the previous ones."""
        choice = {name: getattr(settings, name) for name in ModelChoice.model_fields}
        return self._host.swap_models(ModelChoice(**choice))

    def wait_until_swapped(self) -> None:
        """Return when no run uses the previous models; raises HostUnavailableError after SWAP_SECONDS."""
        if _until(lambda: self.status().swapping, lambda swapping: not swapping, SWAP_SECONDS):
            raise HostUnavailableError(
                f"runs with the previous models take more than {SWAP_SECONDS:g} s; `medkg status` shows "
                "them. Try again when they have ended."
            )

    def stop(self) -> None:
        """Have the host end; returns when it is gone. Runs are cancelled, their documents queued again.

        A host that hangs is killed, and the next one queues its documents.
        """
        host = self._client.server()
        with suppress(HostUnavailableError):
            host_service(self._client, {"stop": STOP_SECONDS}).stop()
        if _until(lambda: is_alive(host), lambda alive: not alive, STOP_SECONDS):
            os.kill(pid_of(host), signal.SIGKILL)


class Host(HostClient):
    """The data folder's host for one command: the one that runs, or one that ends with the command."""

    def __init__(self, settings: Settings, announce: Callable[[str], None]) -> None:
        super().__init__(settings)
        self._settings = settings
        self._announce = announce
        self._child: subprocess.Popen[bytes] | None = None
        self._detached_options: tuple[str, ...] = ()
        """Of a host that outlives this command."""
        self._of_other_command = False
        """Whether the host that works for us ends with another command."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            end_child(self._child, STOP_SECONDS)

    def begin(self) -> None:
        """Start a host unless one runs; does not wait for it, so that a source is enumerated meanwhile."""
        if self._child is not None or self.is_running():
            return
        self._announce("no host runs (`medkg up` keeps one): starting workers and models for this command")
        self._spawn()

    def work_on(self, job_id: str) -> JobProgress:
        self._wait_until_served()
        self._of_other_command = self._child is None  # until it says otherwise
        status = self.status()
        # our child may not have noticed yet that another host was faster
        ours = self._child is not None and self._child.pid == status.pid
        self._of_other_command = not (ours or status.kept)
        return super().work_on(job_id)

    def replace_lost(self) -> bool:
        """Begin a new host when the one that worked for us has ended with the command that had started it.

        Returns when that host is gone; False if the lost host was ours, or one of `medkg up`.
        """
        if not self._of_other_command:
            return False
        _until(self.is_running, lambda running: not running, STOP_SECONDS)
        self._of_other_command = False
        self.begin()
        return True

    def _spawn(self) -> None:
        start = spawn_detached if self._detached_options else spawn_child
        command = [*_command(self._settings), *self._detached_options]
        self._child = start(command, log_path=host_log(self._settings))

    def start_detached(self, *, ui: bool = True) -> None:
        """Start a host that outlives this command, with Dagster UI and Ray dashboard if `ui`.

        Returns when it answers. Raises HostUnavailableError if the folder's host ends with another command.
        """
        if not self.is_running():
            self._detached_options = ("--keep", *(("--ui",) if ui else ()))
            self._spawn()
            self._wait_until_served()
        if self._child is None:  # another host was faster, or was there before
            self._check_stays()
        self._child = None

    def _check_stays(self) -> None:
        """Raise HostUnavailableError if the host that runs ends with another command."""
        status = self.status()
        if not status.kept:
            raise HostUnavailableError(
                f"the host {status.pid} of {self._settings.data_dir} was started by another command, e.g. "
                "`medkg run`, and ends with it. Run `medkg up` again then."
            )

    def wait_until_plane_ready(self, seconds: float) -> HostStatus:
        """The status once the plane is no longer starting."""
        self._wait_until_served()
        try:
            status: HostStatus = _until(self.status, lambda status: status.plane != "starting", seconds)
        except HostUnavailableError as error:
            # a killed host lets go of its connections before its lock
            if _until(self.is_running, lambda running: not running, ENDING_SECONDS):
                raise
            raise self._without_host("ended while its plane was starting") from error
        return status

    def wait_until_children_run(self, seconds: float) -> HostStatus:
        """The status, with health, once every child of the host runs or has failed."""
        passing = (ChildState.STARTING, ChildState.RESTARTING)
        status: HostStatus = _until(
            lambda: self.status(with_health=True),
            lambda status: not any(child.state in passing for child in status.children),
            seconds,
            HEALTH_POLL_SECONDS,
        )
        return status

    def _wait_until_served(self) -> None:
        served = _until(lambda: self.is_running() or self._child_failed(), bool, START_SECONDS)
        if not served or not self.is_running():
            raise self._without_host("did not start")

    def _child_failed(self) -> bool:
        """Whether our child has ended without being the host.

        One that found another host is given up: that host serves us soon, or has ended, and we start again.
        """
        if self._child is None or self._child.poll() is None:
            return False
        if self._child.returncode != ALREADY_SERVED:
            return True
        self._child = None
        if not self.is_running():
            self._spawn()
        return False

    def _without_host(self, what: str) -> MedkgError:
        """The error of a host that is gone: its disk is full, or the end of its log says why."""
        log = host_log(self._settings)
        if (full := full_disk_of(self._settings.data_dir, tempfile.gettempdir())) is not None:
            return full
        return HostUnavailableError(
            f"the host of {self._settings.data_dir} {what}. Its log {log} ends with: {log_tail(log)}"
        )


def host_service(client: LocalClient, seconds: Mapping[str, float] | None = None) -> HostService:
    """The verbs of the host that `client` reaches; `seconds`: how long to wait for some of them."""
    return typed_client(HostService, client, seconds)  # type: ignore[type-abstract]


def _vectors(answer: DenseRows) -> tuple[Float32Matrix, str]:
    return np.asarray(answer.vectors, dtype=np.float32), answer.model_id


def _term_weights(answer: SparseRows) -> SparseVectors:
    rows = [
        (np.asarray(terms, dtype=np.int32), np.asarray(weights, dtype=np.float32))
        for terms, weights in answer.rows
    ]
    return SparseVectors(answer.model_id, SparseMatrix.of_rows(rows, answer.vocabulary))


def _command(settings: Settings) -> list[str]:
    """The host's command line: every setting travels through the environment or these options."""
    return [
        sys.executable,
        "-P",  # the user's folder is no place to import from
        "-c",  # not -m: processes that the host's children spawn would import its __main__
        "from orchestration.host.host import main; main()",
        "--data-dir",
        str(settings.data_dir),
        "--profile",
        settings.profile,
    ]


def host_log(settings: Settings) -> Path:
    """The log file of the host."""
    return settings.logs_dir / "host.log"


def ray_token_path(settings: Settings) -> Path:
    """File with the token that our Ray cluster and its dashboard ask for."""
    return settings.data_dir / "run" / "ray.token"


def guard_ray(settings: Settings) -> None:
    """Have this process and its children ask for a token of our Ray cluster, before they import ray.

    Source: https://docs.ray.io/en/latest/ray-security/token-auth.html
    """
    if settings.ray_address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(ray_token_path(settings))


def _until(
    look: Callable[[], Any], enough: Callable[[Any], bool], seconds: float, pause: float = POLL_SECONDS
) -> Any:
    """The last value of `look`: the first that is enough, or the one after `seconds`."""
    polling = Retrying(
        retry=retry_if_result(lambda value: not enough(value)),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(pause),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    return polling(look)
