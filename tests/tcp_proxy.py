"""A proxy before a server: what it does with a connection is that of the subclass."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["TcpProxy", "close", "forward"]


class TcpProxy(ABC):
    """Takes connections on a free port until it ends, each in a thread."""

    def __init__(self, host: str, port: int) -> None:
        """The server that is meant. A subclass calls this last: connections may come at once."""
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._guard = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @abstractmethod
    def _talk(self, client: socket.socket) -> None:
        """Serve a connection; an OSError ends it."""

    def _connect(self) -> socket.socket:
        """A connection to the server, closed with the proxy."""
        server = socket.create_connection(self._target)
        self._note(server)
        return server

    def _end(self) -> None:
        """Break all connections; none is taken any more."""
        close(self._listener)
        self._break_all()

    def _break_all(self) -> None:
        with self._guard:
            for each in self._open:
                close(each)

    def _note(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.append(connection)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._note(client)
                threading.Thread(target=self._until_it_ends, args=(client,), daemon=True).start()

    def _until_it_ends(self, client: socket.socket) -> None:
        with suppress(OSError):
            self._talk(client)
        close(client)


def forward(origin: socket.socket, target: socket.socket) -> None:
    """Send on what comes until either side ends; then end the other."""
    with suppress(OSError):
        while data := origin.recv(65_536):
            target.sendall(data)
    close(target)


def close(connection: socket.socket) -> None:
    """End a connection, also one that another thread waits for."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
