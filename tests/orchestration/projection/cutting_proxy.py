"""A proxy before a server that cuts every connection when so many bytes have gone to the server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from tests.tcp_proxy import TcpProxy, close, forward

__all__ = ["CuttingProxy"]


class CuttingProxy(TcpProxy):
    """Forwards TCP connections; after `cut_after` they break, and none is taken any more."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._left: int | None = None
        super().__init__(parts.hostname or "", parts.port or 7687)

    @property
    def url(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    def cut_after(self, bytes_until: int) -> None:
        """Break all connections once this many more bytes have been sent to the server."""
        self._left = bytes_until

    def _talk(self, client: socket.socket) -> None:
        server = self._connect()
        threading.Thread(target=forward, args=(server, client), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(65_536):
                if self._left is not None:
                    self._left -= len(data)
                    if self._left <= 0:
                        self._end()
                        return
                server.sendall(data)
        close(server)
