"""A proxy before PostgreSQL that breaks a commit: as a server that dies, or whose answer is lost.

The transaction is named by a statement that it sends. Source of the messages' form:
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final, Literal

from sqlalchemy import make_url

from tests.tcp_proxy import TcpProxy, close, forward

__all__ = ["FAULTS", "CommitFault", "PostgresqlProxy"]

CommitFault = Literal["killed before", "answer lost"]
FAULTS: Final[tuple[CommitFault, ...]] = ("killed before", "answer lost")

COMMIT: Final = b"COMMIT\x00"


class PostgresqlProxy(TcpProxy):
    """Forwards connections to a server, until a commit meets the fault."""

    def __init__(self, url: str) -> None:
        """`url`: of SQLAlchemy, with host and port."""
        parsed = make_url(url)
        self._statement = b""
        self._fault: CommitFault = "killed before"
        self._stays_down = False
        self._is_down = False
        self.met = 0
        """Commits that met the fault."""
        super().__init__(parsed.host or "127.0.0.1", parsed.port or 5432)
        self.url = parsed.set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)

    def break_commit_of(self, statement: str, fault: CommitFault, *, stays_down: bool) -> None:
        """Have the next commit of a transaction with this statement meet the fault.

        `stays_down`: no connection is served afterwards.
        """
        self._statement, self._fault, self._stays_down = statement.encode(), fault, stays_down

    def _talk(self, client: socket.socket) -> None:
        if self._is_down:
            return
        server = self._connect()
        threading.Thread(target=forward, args=(server, client), daemon=True).start()
        is_named = False
        with suppress(OSError):
            while data := client.recv(65_536):
                is_named = is_named or bool(self._statement and self._statement in data)
                if is_named and COMMIT in data:
                    self._meet(data, client, server)
                    break
                is_named = is_named and b"ROLLBACK\x00" not in data
                server.sendall(data)
        close(server)

    def _meet(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
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
        if self._stays_down:
            self._break_all()
