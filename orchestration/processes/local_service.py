"""Requests to the long-lived process of a data folder: JSON over a Unix socket that only its user can open.

Input: a name, a data folder and the functions to serve (`LocalService`), or a request (`LocalClient`).
Output: the function's JSON answer, or the error it raised, as the same class on this side. The file
<data folder>/run/<name>.json names the socket, the process that serves it and the folder (endpoint.py).
"""

from __future__ import annotations

import hmac
import json
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import structlog

from orchestration.errors import ConfigurationError, HostUnavailableError, MedkgError, rebuilt_error
from orchestration.processes.child_process import is_alive, own_identity, pid_of
from orchestration.processes.endpoint import (
    Endpoint,
    endpoint_path,
    folder_identity,
    lock_path,
    publish,
    read_endpoint,
    recorded,
)
from orchestration.processes.lock_file import try_lock
from orchestration.processes.socket_folder import socket_folder
from orchestration.tracing import continued, traceparent

MAX_MESSAGE_BYTES: Final = 64_000_000
MAX_CONNECTIONS: Final = 64
"""Requests served at once; further ones wait in the socket's queue."""

Verb = Callable[..., Any]
"""Takes JSON values by keyword, returns a JSON value."""


# --- server -----------------------------------------------------------------------------------------


class LocalService:
    """Serves verbs to the processes of this user; one thread per connection, one server per data folder.

    `claim` takes the data folder (so that two hosts never start side by side), `start` serves, `close`
    ends both. `verbs` may be filled until it starts. A context manager that starts and closes.
    """

    def __init__(self, name: str, data_dir: Path, verbs: Mapping[str, Verb]) -> None:
        self.name = name
        self.data_dir = data_dir
        self.verbs = dict(verbs)
        self._lock: IO[bytes] | None = None
        self._listener: socket.socket | None = None
        self._folder: Path | None = None
        self._served = ""
        self._token = secrets.token_hex(32)
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def claim(self) -> None:
        """Become the only server of this name for the data folder, until close or death of the process.

        Raises ConfigurationError when another process is; does nothing when it is us already.
        """
        if self._lock is not None:
            return
        self._lock = try_lock(lock_path(self.data_dir, self.name))
        if self._lock is None:
            raise ConfigurationError(
                f"Another process is the {self.name} of {self.data_dir} already. Use it as it is, or stop "
                "it with `medkg down` first."
            )

    def start(self) -> Self:
        """Serve; requests are answered when it returns."""
        self.claim()
        self._remove_leftovers()
        self._folder = socket_folder("medkg-", self.name)
        address = self._folder / self.name
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(address))
        self._listener.listen(MAX_CONNECTIONS)
        threading.Thread(target=self._accept, name=f"{self.name}-service", daemon=True).start()
        self._served = folder_identity(self.data_dir, self.name) or ""
        folder = str(self.data_dir.resolve())
        publish(
            self.data_dir,
            self.name,
            Endpoint(str(address), self._token, own_identity(), folder, self._served),
        )
        return self

    def has_folder(self) -> bool:
        """Whether the data folder is still at its path: not moved, removed or replaced since `start`."""
        return folder_identity(self.data_dir, self.name) == self._served

    def close(self) -> None:
        """Stop serving; requests in progress are answered if the process lives on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            if self.has_folder():
                endpoint_path(self.data_dir, self.name).unlink(missing_ok=True)
            # accept() wakes up on shutdown, not on close, of its socket
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remove_leftovers(self) -> None:
        """Delete the socket folder that a killed server left behind; a live one's is another folder's."""
        leftover = recorded(self.data_dir, self.name)
        if leftover is not None and not is_alive(leftover.identity):
            folder = Path(leftover.address).parent
            if folder.name.startswith("medkg-"):
                shutil.rmtree(folder, ignore_errors=True)
        endpoint_path(self.data_dir, self.name).unlink(missing_ok=True)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None:
            self._slots.acquire()
            try:
                client, _ = listener.accept()
            except OSError:
                self._slots.release()
                if self._listener is None:  # closed
                    return
                raise
            threading.Thread(
                target=self._serve, args=(client,), name=f"{self.name}-request", daemon=True
            ).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with Connection(client.detach()) as connection:
                for request in _requests(connection):
                    connection.send_bytes(json.dumps(self._answer(request)).encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # the client has closed its end
        finally:
            self._slots.release()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        verb = request["verb"]
        try:
            if not hmac.compare_digest(str(request["token"]), self._token):
                raise HostUnavailableError(
                    f"The {self.name} refused the request: another process wrote its endpoint file."
                )
            if verb not in self.verbs:
                raise HostUnavailableError(
                    f"The {self.name} has no verb '{verb}', only {', '.join(sorted(self.verbs))}: it runs "
                    "another version. Restart it with `medkg down` and `medkg up`."
                )
            with continued(request.get("traceparent", "")):
                return {"value": self.verbs[verb](**request["arguments"])}
        except MedkgError as error:
            return {"error": _describe(error)}
        except Exception as error:  # noqa: BLE001 - every error is reported to the client
            structlog.get_logger(__name__).exception("verb failed", verb=verb)
            failure = HostUnavailableError(
                f"The {self.name} failed in '{verb}' with {type(error).__name__}: {error}. Its log is in "
                f"{self.data_dir / 'logs'}."
            )
            return {"error": _describe(failure)}


def _requests(connection: Connection) -> Iterator[dict[str, Any]]:
    while True:
        try:
            message = connection.recv_bytes(MAX_MESSAGE_BYTES)
        except (EOFError, ConnectionResetError):
            return
        yield json.loads(message)


# --- client -----------------------------------------------------------------------------------------


class LocalClient:
    """Calls the service `name` of a data folder; one connection per call, so threads may share it."""

    def __init__(self, data_dir: Path, name: str, after_move: Collection[str] = ()) -> None:
        """`after_move`: verbs that a server also gets when its folder was renamed since it started."""
        self.data_dir = data_dir
        self.name = name
        self.after_move = frozenset(after_move)

    def is_served(self) -> bool:
        """Whether a live process serves."""
        return read_endpoint(self.data_dir, self.name) is not None

    def server(self) -> str:
        """The process that serves (`child_process.own_identity`); raises HostUnavailableError for none."""
        return self._endpoint().identity

    def _endpoint(self) -> Endpoint:
        endpoint = read_endpoint(self.data_dir, self.name)
        if endpoint is None:
            raise HostUnavailableError(f"No {self.name} runs for {self.data_dir}. Start it with `medkg up`.")
        return endpoint

    def call(self, verb: str, timeout: float = 30.0, **arguments: Any) -> Any:
        """The verb's answer; raises what the verb raised.

        Raises HostUnavailableError if no process serves the folder, or none answers in `timeout` seconds.
        """
        endpoint = self._endpoint()
        if endpoint.was_moved(self.data_dir) and verb not in self.after_move:
            raise HostUnavailableError(
                f"The {self.name} of {self.data_dir} (pid {pid_of(endpoint.identity)}) was started when this "
                f"folder was {endpoint.folder}, and ends. `medkg down` waits for that; then run the same "
                "command again."
            )
        deadline = time.monotonic() + timeout
        try:
            with self._connect(endpoint, timeout) as connection:
                request = {"token": endpoint.token, "verb": verb, "arguments": arguments}
                if context := traceparent():
                    request["traceparent"] = context
                connection.send_bytes(json.dumps(request).encode())
                if not connection.poll(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                answer = json.loads(connection.recv_bytes(MAX_MESSAGE_BYTES))
        except TimeoutError as error:
            raise HostUnavailableError(
                f"The {self.name} of {self.data_dir} did not answer '{verb}' in {timeout:g} s. See its log "
                f"in {self.data_dir / 'logs'}, or restart it with `medkg down` and `medkg up`."
            ) from error
        except (EOFError, OSError) as error:
            raise HostUnavailableError(
                f"The {self.name} of {self.data_dir} ended while it answered '{verb}'. Start it again with "
                "`medkg up`; nothing is lost."
            ) from error
        if "error" in answer:
            raise _rebuilt(answer["error"])
        return answer["value"]

    def _connect(self, endpoint: Endpoint, timeout: float) -> Connection:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.settimeout(timeout)
            client.connect(endpoint.address)
            client.settimeout(None)
        except BaseException:
            client.close()
            raise
        return Connection(client.detach())


# --- errors on the wire -----------------------------------------------------------------------------


def _describe(error: MedkgError) -> dict[str, Any]:
    return {
        "class": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "retry_after": getattr(error, "retry_after", None),
    }


def _rebuilt(described: dict[str, Any]) -> MedkgError:
    """The error as its own class; of a class that this process does not know, as plain MedkgError."""
    message, retry_after = described["message"], described["retry_after"]
    attributes = {"retry_after": retry_after} if retry_after is not None else {}
    return rebuilt_error(described["class"], message, **attributes) or MedkgError(message)
