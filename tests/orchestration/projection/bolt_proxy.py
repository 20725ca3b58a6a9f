"""A proxy before Neo4j: a server that is unavailable, silent, refuses the password, or has a full disk.

The form of messages is that of Bolt: chunks with two bytes of length, values as PackStream.
Source: https://neo4j.com/docs/bolt/current/bolt/message/ and .../packstream/ (read 2026-11-30).
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

__all__ = ["BoltProxy", "ServerFault"]

ServerFault = Literal["", "away", "silent", "wrong password", "disk full"]

HANDSHAKE_BYTES: Final = 20
BOLT_5_2: Final = bytes((0, 0, 2, 5))
COMMIT: Final = b"\x00\x02\xb0\x12\x00\x00"
FAILURES: Final = {
    "wrong password": ("Neo.ClientError.Security.Unauthorized", "The client is unauthorized."),
    "disk full": ("Neo.DatabaseError.Transaction.TransactionLogError", "No space left on device"),
}


class BoltProxy:
    """Forwards connections to a server, which shows `fault` to every connection made since it was set."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "", parts.port or 7687)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._fault: ServerFault = ""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            _close(each)

    @property
    def url(self) -> str:
        return f"bolt://ann:not-to-be-seen@127.0.0.1:{self._listener.getsockname()[1]}"

    def set(self, fault: ServerFault) -> None:
        """Have the server show this fault, '' for none; connections that exist end."""
        self._fault = fault
        for each in self._open:
            _close(each)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._talk, args=(client, self._fault), daemon=True).start()

    def _talk(self, client: socket.socket, fault: ServerFault) -> None:
        with suppress(OSError):
            if fault == "silent":
                client.recv(65_536)
                client.recv(65_536)  # returns when the client gives up
            elif fault == "wrong password":
                client.recv(HANDSHAKE_BYTES)
                client.sendall(BOLT_5_2)
                client.recv(65_536)  # HELLO, and LOGON behind it
                client.sendall(_message(b"\x70", server="Neo4j/5.7.0", connection_id="bolt-1"))
                client.sendall(_failure(*FAILURES[fault]))
                client.recv(65_536)
            elif fault != "away":
                self._forward(client, fault)
        _close(client)

    def _forward(self, client: socket.socket, fault: ServerFault) -> None:
        server = socket.create_connection(self._target)
        self._open.append(server)
        threading.Thread(target=_pipe, args=(server, client), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(65_536):
                if fault == "disk full" and COMMIT in data:
                    client.sendall(_failure(*FAILURES[fault]))  # RESET follows, which undoes the transaction
                    data = data.replace(COMMIT, b"")
                server.sendall(data)
        _close(server)


def _failure(code: str, message: str) -> bytes:
    """A FAILURE; its code has another name since Bolt 5.7."""
    return _message(b"\x7f", code=code, neo4j_code=code, message=message)


def _message(signature: bytes, **fields: str) -> bytes:
    texts = (text for field in fields.items() for text in field)
    body = b"\xb1" + signature + bytes([0xA0 + len(fields)]) + b"".join(map(_text, texts))
    return len(body).to_bytes(2, "big") + body + b"\x00\x00"


def _text(value: str) -> bytes:
    content = value.encode()
    return b"\xd0" + bytes([len(content)]) + content


def _pipe(origin: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := origin.recv(65_536):
            target.sendall(data)
    _close(target)


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
