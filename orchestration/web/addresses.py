"""Connections to the public network only: addresses are looked at when the connection is made.

Comes in: a request for any host. Leaves: the answer of an address that is public, or AddressRefusedError.
The address that was looked at is the one that is connected to, so a name server cannot change its mind in
between (DNS rebinding).
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
    """httpx's transport, which connects to public addresses and to `private_hosts` (HOST or HOST:PORT)."""

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._private_hosts = frozenset(private_hosts)
        # a connection belongs to one name: with the address as its origin, two names could share one
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = request.url.host, request.url.port or _usual_port(request.url.scheme)
        if not {host, f"{host}:{port}"} & self._private_hosts:
            address = await _public_address(host, port)
            request = httpx.Request(  # another one: redirects are told from the caller's
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


async def _public_address(host: str, port: int) -> str:
    """An address of the host; raises AddressRefusedError if any of its addresses is not public."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DagsterResourceUnavailableError(
            f"{host}: its address is not known ({error}). Check the name and this machine's network."
        ) from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            raise AddressRefusedError(
                f"{host} is at {address}, which is no public address; documents are not fetched from private "
                "networks. If this server is yours, name it in MEDKG_PRIVATE_HOSTS."
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, also where IPv6 wraps an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast
