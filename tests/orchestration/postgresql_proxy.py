"""A proxy before PostgreSQL that breaks a commit: as a server that dies, or whose answer is lost.

The transaction is named by a statement that it sends. Source of the messages' form:
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self

from sqlalchemy import make_url

__all__ = ["FAULTS", "CommitFault", "PostgresqlProxy"]

CommitFault = Literal["killed before", "answer lost"]
FAULTS: Final[tuple[CommitFault, ...]] = ("killed before", "answer lost")

COMMIT: Final = b"COMMIT\x00"


class PostgresqlProxy:
    """Forwards connections to a server, until a commit meets the fault."""

    def __init__(self, url: str) -> None:
        """`url`: of SQLAlchemy, with host and port."""
        parsed = make_url(url)
        self._target = (parsed.host or "127.0.0.1", parsed.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = parsed.set(host="127.0.0.1", port=self._listener.getsockname()[1]).render_as_string(
            hide_password=False
        )
        self._statement = b""
        self._fault: CommitFault = "killed before"
        self._stays_down = False
        self._is_down = False
        self.met = 0
        """Commits that met the fault."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            _close(each)

    def break_commit_of(self, statement: str, fault: CommitFault, *, stays_down: bool) -> None:
        """Have the next commit of a transaction with this statement meet the fault.

        `stays_down`: no connection is served afterwards.
        """
        self._statement, self._fault, self._stays_down = statement.encode(), fault, stays_down

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_down:
                    _close(client)
                    continue
                server = socket.create_connection(self._target)
                self._open += [client, server]
                threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=_forward, args=(server, client), daemon=True)
        back.start()
        is_named = False
        with suppress(OSError):
            while data := client.recv(65_536):
                is_named = is_named or bool(self._statement and self._statement in data)
                if is_named and COMMIT in data:
                    self._break(data, client, server)
                    return
                is_named = is_named and b"ROLLBACK\x00" not in data
                server.sendall(data)
        for each in (client, server):
            _close(each)

    def _break(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        self._statement = b""
        self._is_down = self._stays_down
        self.met += 1
        if self._fault == "answer lost":
            client.shutdown(socket.SHUT_WR)  # the client has nothing more to read
            server.sendall(data)
            server.shutdown(socket.SHUT_WR)  # and the server ends the connection when it has committed
            with suppress(OSError):
                while server.recv(65_536):
                    pass
        for each in (*self._open,) if self._stays_down else (client, server):
            _close(each)


def _forward(origin: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := origin.recv(65_536):
            target.sendall(data)


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
