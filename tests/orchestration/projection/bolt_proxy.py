"""A proxy before Neo4j: a server that is unavailable, silent, refuses the password, or has a full disk.

The form of messages is that of Bolt: chunks with two bytes of length, values as PackStream.
Source: https://neo4j.com/docs/bolt/current/bolt/message/ and .../packstream/ (read 2026-11-30).
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final, Literal
from urllib.parse import urlsplit

from tests.tcp_proxy import TcpProxy, close, forward

__all__ = ["BoltProxy", "ServerFault"]

ServerFault = Literal["", "away", "silent", "wrong password", "disk full"]

HANDSHAKE_BYTES: Final = 20
BOLT_5_2: Final = bytes((0, 0, 2, 5))
COMMIT: Final = b"\x00\x02\xb0\x12\x00\x00"
FAILURES: Final = {
    "wrong password": ("Neo.ClientError.Security.Unauthorized", "The client is unauthorized."),
    "disk full": ("Neo.DatabaseError.Transaction.TransactionLogError", "No space left on device"),
}


class BoltProxy(TcpProxy):
    """Forwards connections to a server, which shows `fault` to every connection made since it was set."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._fault: ServerFault = ""
        super().__init__(parts.hostname or "", parts.port or 7687)

    @property
    def url(self) -> str:
        return f"bolt://ann:not-to-be-seen@127.0.0.1:{self.port}"

    def set(self, fault: ServerFault) -> None:
        """Have the server show this fault, '' for none; connections that exist end."""
        self._fault = fault
        self._break_all()

    def _talk(self, client: socket.socket) -> None:
        fault = self._fault
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

    def _forward(self, client: socket.socket, fault: ServerFault) -> None:
        server = self._connect()
        threading.Thread(target=forward, args=(server, client), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(65_536):
                if fault == "disk full" and COMMIT in data:
                    client.sendall(_failure(*FAILURES[fault]))  # RESET follows, which undoes the transaction
                    data = data.replace(COMMIT, b"")
                server.sendall(data)
        close(server)


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
