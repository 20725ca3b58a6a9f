"""A local vLLM server: started for one model, watched, and ended with its owner.

Input: a model's folder and how to serve it. Output: an HTTP endpoint on loopback with a random key, and its
answers as arrays or text. vLLM is installed in a separate environment (docs/guides/vllm.md), so it is run as
a command and never imported. Failed requests are not repeated here; that is up to the caller.
Source: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import numpy as np
import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gpu_actors.vllm.process_group import run_guarded
from orchestration.errors import (
    ConfigurationError,
    EmbeddingInputTooLongError,
    MedkgError,
    PlaneUnavailableError,
    StageFailedError,
)
from orchestration.records import Float32Matrix, Record
from orchestration.tracing import traceparent, wants_traces

__all__ = ["ServerOptions", "VllmServer", "find_vllm"]

START_SECONDS: Final = 600.0
POLL_SECONDS: Final = 0.25
TIMEOUT: Final = httpx.Timeout(600.0, connect=10.0)
"""Long, since the pool has a time-out per micro-batch, which ends the replica and so this server."""

EXIT_SECONDS: Final = 10.0
"""Longest wait for the end of a server that no longer answers."""

LOG_LINES: Final = 4
NOT_INHERITED: Final = ("OMP_", "RAY_", "VLLM_", "PYTHON")
"""Ray sets one thread and its own addresses for its actors; a server must inherit neither."""

SERVED_NAME: Final = "medkg"


class ServerOptions(Record):
    """How a model is served."""

    runner: Literal["pooling", "generate"]
    device: Literal["cpu", "cuda"]
    dtype: Literal["bfloat16", "float32"]
    max_tokens: int
    batch_tokens: int
    memory_share: float = 0.9
    """Of the GPU's memory, 0 to 1; of no effect on a CPU."""


def find_vllm(command: str | None) -> str:
    """Return the vllm executable: `command`, or beside this interpreter, or on the PATH.

    Raises ConfigurationError when there is none.
    """
    if command is not None:
        executable = shutil.which(command)
    else:
        executable = shutil.which("vllm", path=str(Path(sys.executable).parent)) or shutil.which("vllm")
    if executable is None:
        raise ConfigurationError(
            f"the vLLM executable {command or 'vllm'} is missing. Install vLLM (docs/guides/vllm.md) and "
            "name its executable in MEDKG_VLLM_COMMAND."
        )
    return executable


class VllmServer:
    """One server process and its client; thread-safe."""

    def __init__(self, executable: str, model: Path, options: ServerOptions) -> None:
        """Start the server; returns when it answers. Raises PlaneUnavailableError with the end of its log."""
        port = _free_port()
        key = secrets.token_urlsafe(24)
        self._folder = Path(tempfile.mkdtemp(prefix="medkg-vllm-"))
        self._log = self._folder / "server.log"
        self._closing = threading.Event()
        self._on_death: Callable[[str], None] | None = None
        self._process = _started(executable, model, options, port, key, self._log)
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
            trust_env=False,
        )
        try:
            self._wait_until_healthy()
        except BaseException:
            self.close()
            raise

    def watch(self, on_death: Callable[[str], None]) -> None:
        """Call `on_death`, in a thread, with the end of the server's log if it ends by itself."""
        self._on_death = on_death
        threading.Thread(target=self._report_exit, name="vllm-watch", daemon=True).start()

    def _report_exit(self, within: float | None = None) -> None:
        """Wait for the server's end, and call `on_death` unless `close` ended it."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
            if self._on_death is not None and not self._closing.is_set():
                self._on_death(f"the vLLM server ended; its log ends with: {self._log_end()}")

    @property
    def pid(self) -> int:
        """Of the process-group guard."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the server's processes have used so far."""
        seconds = 0.0
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    seconds += times.user + times.system
        return seconds

    def embed(self, rows: Sequence[Sequence[int]]) -> Float32Matrix:
        """Return one vector per row of token ids, float32 [n, d], in order; rows include special tokens.

        Raises EmbeddingInputTooLongError, ConfigurationError (wrong key or model), StageFailedError (any
        other refusal), PlaneUnavailableError (no answer).
        """
        body = {"model": SERVED_NAME, "input": rows, "encoding_format": "bytes", "embed_dtype": "float32"}
        answer = self._post("/v1/embeddings", body)
        return np.frombuffer(answer.content, dtype=np.float32).reshape(len(rows), -1)

    def answer(self, question: str, schema: dict[str, Any], max_tokens: int) -> str:
        """Return the model's answer to a question, as JSON of the schema; raises as `embed`.

        An answer that `max_tokens` truncated is a StageFailedError.
        """
        body = {
            "model": SERVED_NAME,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            },
        }
        choice = self._post("/v1/chat/completions", body).json()["choices"][0]
        if choice["finish_reason"] != "stop":
            raise StageFailedError(
                f"the model's answer was cut off after {max_tokens} tokens ({choice['finish_reason']}). Ask "
                "for less, or allow more tokens."
            )
        return str(choice["message"]["content"])

    def close(self) -> None:
        """End the server and all its children; returns when they have ended. Idempotent."""
        self._closing.set()
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()
        if hasattr(self, "_client"):
            self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            answer = self._client.post(path, json=body, headers=_trace_headers())
        except httpx.HTTPError as error:
            self._report_exit(EXIT_SECONDS)
            raise PlaneUnavailableError(
                f"the vLLM server did not answer ({type(error).__name__}: {error}); its log ends with: "
                f"{self._log_end()}"
            ) from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            self._report_exit(EXIT_SECONDS)  # a server whose engine died answers first, and then ends
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        return answer

    def _wait_until_healthy(self) -> None:
        def state() -> Literal["healthy", "starting", "ended"]:
            if self._process.poll() is not None:
                return "ended"
            try:
                return "healthy" if self._client.get("/health").status_code == httpx.codes.OK else "starting"
            except httpx.HTTPError:
                return "starting"

        polling = Retrying(
            retry=retry_if_result(lambda current: current == "starting"),
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(POLL_SECONDS),
            retry_error_callback=lambda _: "starting",
        )
        last = polling(state)
        if last != "healthy":
            why = "ended" if last == "ended" else f"did not answer within {START_SECONDS:g} s"
            raise PlaneUnavailableError(
                f"the vLLM server {why} while starting; its log ends with: {self._log_end()}"
            )

    def _log_end(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return "(no log)"
        errors = [line for line in lines if "Error" in line]
        return " / ".join((errors or lines)[-LOG_LINES:]) or "(empty)"


def _started(
    executable: str, model: Path, options: ServerOptions, port: int, key: str, log: Path
) -> subprocess.Popen[bytes]:
    command = [
        executable,
        "serve",
        str(model),
        *("--served-model-name", SERVED_NAME),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--runner", options.runner, "--dtype", options.dtype),
        *("--max-model-len", str(options.max_tokens)),
        *("--max-num-batched-tokens", str(max(options.batch_tokens, options.max_tokens))),
        *("--uvicorn-log-level", "warning"),
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)
    } | {
        "VLLM_RPC_BASE_PATH": str(log.parent),
        "VLLM_API_KEY": key,  # in the environment, since every user can read a command line
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # sentence-transformers' maximum is a default, not a limit
    }
    endpoint = _traces_endpoint()
    if endpoint is not None:
        command += ["--otlp-traces-endpoint", endpoint]
        environment["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"  # vLLM's default is gRPC
        environment.setdefault("OTEL_SERVICE_NAME", "medkg-vllm")
    if options.device == "cpu":
        command += ["--enforce-eager"]  # compiling takes minutes and gains nothing on a CPU
        command += ["--kv-cache-memory-bytes", "64M" if options.runner == "pooling" else "512M"]
        environment["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # starts 7 s sooner, in one process
        environment["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        environment["TMPDIR"] = str(log.parent)  # else it leaves a file in /tmp at each start
    else:
        command += ["--gpu-memory-utilization", str(options.memory_share)]
    if options.runner == "generate":
        structured = '{"backend": "guidance", "disable_any_whitespace": true}'
        command += ["--structured-outputs-config", structured]
    return run_guarded(command, log, environment)


def _trace_headers() -> dict[str, str]:
    """The trace that the server's spans go on in."""
    context = traceparent()
    return {"traceparent": context} if context else {}


def _traces_endpoint() -> str | None:
    """Where the server is to send its spans; None: nowhere."""
    if not wants_traces():
        return None
    signal = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return signal or os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].rstrip("/") + "/v1/traces"


def _refusal(answer: httpx.Response) -> MedkgError:
    """Our error for an answer that is not 200."""
    reason = answer.text[:300]
    if answer.status_code == httpx.codes.BAD_REQUEST and "maximum context length" in reason:
        return EmbeddingInputTooLongError(f"{reason} Choose a chunk profile with smaller chunks.")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND):
        return ConfigurationError(
            f"the vLLM server refuses with {answer.status_code}: {reason}. It serves another model, or "
            "another process answers on its port."
        )
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return PlaneUnavailableError(f"the vLLM server answered {answer.status_code}: {reason}")
    return StageFailedError(f"the vLLM server refuses with {answer.status_code}: {reason}")


def _free_port() -> int:
    """A port of the loopback interface that no process listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
