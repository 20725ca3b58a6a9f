"""A service that speaks mineru-api's protocol 2, without its models: for tests of what talks to MinerU.

Endpoints, fields, status codes and the life of a task are those of mineru/cli/fast_api.py of MinerU 3.4.4
(read 2026-11-28), implemented independently: POST /tasks and /file_parse, GET /tasks/{id},
/tasks/{id}/result, /health. What it finds in a PDF is read by medkg's text layer
and returned in MinerU's format, so that texts can be compared. It can be
slow, fail some tasks, be unhealthy, and be killed.

In a test: `with MineruServer(Behaviour(seconds=0.1)) as server:` and `server.url`; `server.restart()`
forgets all tasks as a restart does, `server.down()` refuses connections until `server.up()`. As a process
to be killed: `python -m tests.servers.mineru_server --port 0 --seconds 0.5 --fail-share 0.1 --die-after 20`;
it prints its address as the first line. `MineruProcess` starts, kills and restarts one.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from tests.servers.mineru_answers import VERSION, files_of

PROTOCOL: Final = 2
BACKENDS: Final = ("pipeline", "vlm-engine", "vlm-http-client", "hybrid-engine", "hybrid-http-client")
PARSE_METHODS: Final = ("auto", "txt", "ocr")
RETURNED: Final = {
    "return_md": ("md_content", True),
    "return_middle_json": ("middle_json", False),
    "return_content_list": ("content_list", False),
}
"""Form field: (its key in a result, whether it is given unless the form says otherwise)."""


@dataclass(frozen=True)
class Behaviour:
    """Speed and faults of the service."""

    seconds: float = 0.0
    """What a task takes."""
    workers: int = 3
    """Tasks at once (max_concurrent_requests)."""
    fail_share: float = 0.0
    """Share of PDFs whose tasks fail, chosen by the PDF's bytes: the same one fails each time."""
    fail_first: int = 0
    """How often each PDF fails before it succeeds."""
    error: str = "CUDA out of memory. Tried to allocate 2.00 GiB"
    """The error of a failed task."""
    die_after: int | None = None
    """Tasks after whose submission the process kills itself."""
    unwell: bool = False
    """Whether /health and new tasks answer 503."""
    protocol: int = PROTOCOL


@dataclass
class _Task:
    task_id: str
    backend: str
    stems: list[str]
    contents: list[bytes]
    wanted: dict[str, bool]
    order: int
    created_at: str
    status: str = "pending"
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    results: dict[str, dict[str, str]] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def _now() -> str:
    return datetime.now(UTC).isoformat()


class _Service:
    """The application and its tasks, which live in memory only."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.tasks: dict[str, _Task] = {}
        self.tries: dict[str, int] = {}
        self.submitted = 0
        self._places = asyncio.Semaphore(behaviour.workers)
        self._readers = ThreadPoolExecutor(1, "mineru-reader")  # PDFium is not thread-safe
        self._running: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 30)
        application.add_routes(
            [
                web.post("/tasks", self._post_task),
                web.post("/file_parse", self._post_file),
                web.get("/tasks/{task_id}", self._get_status),
                web.get("/tasks/{task_id}/result", self._get_result),
                web.get("/health", self._get_health),
            ]
        )
        return application

    def forget_all(self) -> None:
        for running in self._running:
            running.cancel()
        self.tasks.clear()

    # --- endpoints ---------------------------------------------------------------------------------

    async def _post_task(self, request: web.Request) -> web.Response:
        task = await self._submitted(request)
        if isinstance(task, web.Response):
            return task
        payload = {**self._payload(task, request), "message": "Task submitted successfully"}
        if self.behaviour.die_after is not None and self.submitted > self.behaviour.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return web.json_response(payload, status=202)

    async def _post_file(self, request: web.Request) -> web.Response:
        task = await self._submitted(request)
        if isinstance(task, web.Response):
            return task
        await task.ended.wait()
        payload = self._payload(task, request, queued_ahead=False)
        if task.status == "failed":
            return web.json_response({**payload, "message": "Task execution failed"}, status=409)
        return web.json_response({**payload, "version": VERSION, "results": task.results})

    async def _get_status(self, request: web.Request) -> web.Response:
        task = self.tasks.get(request.match_info["task_id"])
        if task is None:
            return _detail(404, "Task not found")
        return web.json_response(self._payload(task, request))

    async def _get_result(self, request: web.Request) -> web.Response:
        task = self.tasks.get(request.match_info["task_id"])
        if task is None:
            return _detail(404, "Task not found")
        payload = self._payload(task, request, queued_ahead=False)
        if task.status in ("pending", "processing"):
            return web.json_response({**payload, "message": "Task result is not ready yet"}, status=202)
        if task.status == "failed":
            return web.json_response({**payload, "message": "Task execution failed"}, status=409)
        response = web.json_response({"backend": task.backend, "version": VERSION, "results": task.results})
        response.enable_compression()
        return response

    async def _get_health(self, request: web.Request) -> web.Response:
        if self.behaviour.unwell:
            error = "Task manager is not initialized"
            return web.json_response({"status": "unhealthy", "version": VERSION, "error": error}, status=503)
        statuses = [task.status for task in self.tasks.values()]
        return web.json_response(
            {
                "status": "healthy",
                "version": VERSION,
                "protocol_version": self.behaviour.protocol,
                "queued_tasks": statuses.count("pending"),
                "processing_tasks": statuses.count("processing"),
                "completed_tasks": statuses.count("completed"),
                "failed_tasks": statuses.count("failed"),
                "max_concurrent_requests": self.behaviour.workers,
                "processing_window_size": 64,
                "task_retention_seconds": 86_400,
                "task_cleanup_interval_seconds": 300,
            }
        )

    # --- tasks -------------------------------------------------------------------------------------

    async def _submitted(self, request: web.Request) -> _Task | web.Response:
        """The task of a form; or the answer to one that is wrong."""
        if self.behaviour.unwell:
            return _detail(503, "Task manager is not initialized")
        fields: dict[str, str] = {}
        stems, contents = [], []
        form = await request.post()
        for name, value in form.items():
            if isinstance(value, web.FileField):
                if name == "files":
                    stems.append(Path(value.filename).stem)
                    contents.append(value.file.read())
            else:
                fields[name] = str(value)
        if not contents:
            missing = {"type": "missing", "loc": ["body", "files"], "msg": "Field required", "input": None}
            return web.json_response({"detail": [missing]}, status=422)
        backend = fields.get("backend", "hybrid-engine")
        if backend not in BACKENDS:
            return _detail(400, f"Invalid backend. Allowed values: {', '.join(BACKENDS)}")
        if fields.get("parse_method", "auto") not in PARSE_METHODS:
            return _detail(400, f"Invalid parse_method. Allowed values: {', '.join(PARSE_METHODS)}")
        for content in contents:
            if b"%PDF-" not in content[:1024]:
                return _detail(400, "Unsupported file type: txt")
        wanted = {
            key: fields.get(name, str(default)).lower() == "true" for name, (key, default) in RETURNED.items()
        }
        self.submitted += 1
        task = _Task(str(uuid.uuid4()), backend, stems, contents, wanted, self.submitted, _now())
        self.tasks[task.task_id] = task
        running = asyncio.create_task(self._process(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return task

    async def _process(self, task: _Task) -> None:
        async with self._places:
            task.status, task.started_at = "processing", _now()
            try:
                await asyncio.sleep(self.behaviour.seconds)
                self._fail_on_purpose(task.contents)
                loop = asyncio.get_running_loop()
                for stem, content in zip(task.stems, task.contents, strict=True):
                    files = await loop.run_in_executor(self._readers, files_of, content, stem)
                    task.results[stem] = {key: text for key, text in files.items() if task.wanted[key]}
                task.status = "completed"
            except RuntimeError as error:
                task.status, task.error = "failed", str(error)
            task.completed_at = _now()
            task.ended.set()

    def _fail_on_purpose(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            digest = hashlib.sha256(content).hexdigest()
            self.tries[digest] = self.tries.get(digest, 0) + 1
            chosen = int(digest[:8], 16) / 0xFFFFFFFF < self.behaviour.fail_share
            if chosen or self.tries[digest] <= self.behaviour.fail_first:
                raise RuntimeError(self.behaviour.error)

    def _payload(self, task: _Task, request: web.Request, *, queued_ahead: bool = True) -> dict[str, Any]:
        base = f"{request.scheme}://{request.host}/tasks/{task.task_id}"
        payload: dict[str, Any] = {
            "task_id": task.task_id,
            "status": task.status,
            "backend": task.backend,
            "file_names": task.stems,
            "created_at": task.created_at,
            "started_at": task.started_at,
            "completed_at": task.completed_at,
            "error": task.error,
            "status_url": base,
            "result_url": f"{base}/result",
        }
        if queued_ahead:
            waiting = [other for other in self.tasks.values() if other.status == "pending"]
            ahead = sum(other.order < task.order for other in waiting) if task.status == "pending" else 0
            payload["queued_ahead"] = ahead
        return payload


def _detail(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)


# --- running it ------------------------------------------------------------------------------------


class MineruServer:
    """The service in a thread of this process, on a free port that it keeps over restarts."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self._behaviour = behaviour or Behaviour()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mineru-server", daemon=True)
        self._runner: web.AppRunner | None = None
        self._service: _Service | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def submitted(self) -> int:
        """Tasks since the last restart."""
        return self._service.submitted if self._service else 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def up(self, behaviour: Behaviour | None = None) -> None:
        """Start to serve, with no tasks."""
        self._behaviour = behaviour or self._behaviour
        self._done(self._start())

    def down(self) -> None:
        """Refuse connections; tasks are gone."""
        self._done(self._stop())

    def restart(self, behaviour: Behaviour | None = None) -> None:
        """What a restart of the service looks like from outside."""
        self.down()
        self.up(behaviour)

    def _done(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> None:
        self._service = _Service(self._behaviour)
        self._runner = web.AppRunner(self._service.application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if self._service is not None:
            self._service.forget_all()
        if runner is not None:
            await runner.cleanup()


class MineruProcess:
    """The service in its own process, which can be killed and started again at the same address."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "tests.servers.mineru_server", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [*command, *(options or self._options)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline().rsplit(":", 1)[1])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def wait(self) -> None:
        """Until it has died of itself (--die-after)."""
        assert self._process is not None
        self._process.wait(120)


async def _serve(behaviour: Behaviour, port: int) -> None:
    runner = web.AppRunner(_Service(behaviour).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--fail-share", type=float, default=0.0)
    parser.add_argument("--fail-first", type=int, default=0)
    parser.add_argument("--die-after", type=int, default=None)
    arguments = parser.parse_args()
    behaviour = Behaviour(
        seconds=arguments.seconds,
        workers=arguments.workers,
        fail_share=arguments.fail_share,
        fail_first=arguments.fail_first,
        die_after=arguments.die_after,
    )
    asyncio.run(_serve(behaviour, arguments.port))


if __name__ == "__main__":
    main()
