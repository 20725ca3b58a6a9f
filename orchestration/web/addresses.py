"""Connections to the public network only: addresses are checked when the connection is made.

Comes in: a request for any host. Leaves: the answer of a public address, or AddressRefusedError. The checked
address is the one that is connected to, so a name server cannot return another one later (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

import anyio
import httpx

from orchestration.errors import AddressRefusedError, DagsterResourceUnavailableError

__all__ = ["PublicTransport"]


class PublicTransport(httpx.AsyncBaseTransport):
    """Transport of httpx that connects only to public addresses and `private_hosts` (HOST or HOST:PORT)."""

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._private_hosts = frozenset(private_hosts)
        # a connection belongs to one name: with the address as its origin, two names could share one
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = request.url.host, request.url.port or _default_port(request.url.scheme)
        if not {host, f"{host}:{port}"} & self._private_hosts:
            address = await _public_address(host, port)
            request = httpx.Request(  # a copy: httpx resolves redirects against the caller's
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


async def _public_address(host: str, port: int) -> str:
    """An address of the host; raises AddressRefusedError if any of its addresses is not public."""
    try:
        entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DagsterResourceUnavailableError(
            f"{host}: its address cannot be resolved ({error}). Check the name and this machine's network."
        ) from error
    addresses = [str(entry[4][0]) for entry in entries]
    for address in addresses:
        if not is_public(address):
            raise AddressRefusedError(
                f"{host} is at {address}, not a public address; nothing is fetched from private networks. "
                "If this server is yours, name it in MEDKG_PRIVATE_HOSTS."
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is public, also an IPv4 address that is wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast
