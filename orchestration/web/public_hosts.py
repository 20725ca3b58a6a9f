"""Only public hosts: a transport that connects to addresses of the internet, and to nothing else.

Comes in: requests, each hop of a redirect by itself. Leaves: the same requests to an address that was
looked at first, so that a name cannot mean one host when it is checked and another when it is connected to.
A record's link must not reach this machine, its network, or a cloud's metadata service (server-side request
forgery, OWASP).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import Final

import httpx

from orchestration.errors import DownloadRefusedError, ServiceError

__all__ = ["PublicHosts", "check_link"]

SCHEMES: Final = frozenset({"http", "https"})
PORTS: Final = frozenset({None, 80, 443})


def check_link(url: str) -> None:
    """Raise DownloadRefusedError, or httpx.InvalidURL, unless it is a whole http or https URL."""
    parsed = httpx.URL(url)
    if parsed.scheme not in SCHEMES or not parsed.host or " " in url:
        raise DownloadRefusedError(
            f"{url!r} is no link of the web (http or https, with a host). Check it in its record."
        )


class PublicHosts(httpx.BaseTransport):
    """A transport around another one."""

    def __init__(
        self, inner: httpx.BaseTransport, allowed: Collection[str] = (), private: Collection[str] = ()
    ) -> None:
        """`allowed`: the only hosts that are spoken to; empty: every public one. `private`: hosts (HOST or
        HOST:PORT) that may have a private address or an unusual port, e.g. an institution's repository."""
        self._inner = inner
        self._allowed = frozenset(allowed)
        self._private = frozenset(private)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; raises DownloadRefusedError before anything was sent."""
        url = request.url
        check_link(str(url))
        if self._allowed and url.host not in self._allowed:
            raise DownloadRefusedError(
                f"{url}: host {url.host} is not one of those allowed ({', '.join(sorted(self._allowed))}). "
                "Add it to MEDKG_DOWNLOAD_HOSTS if it is to be."
            )
        trusted = url.host in self._private or f"{url.host}:{url.port}" in self._private
        if not trusted and url.port not in PORTS:
            raise DownloadRefusedError(f"{url}: port {url.port} is not one of the web's (80, 443).")
        address = _address(url, trusted)
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        self._inner.close()


def _address(url: httpx.URL, trusted: bool) -> str:
    """An address of the host, each of which must be public unless it is trusted."""
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ServiceError(f"{url}: host {url.host} has no address: {error}. Check its name.") from error
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not trusted:
        for address in addresses:
            _check_public(url, address)
    return str(addresses[0])


def _check_public(url: httpx.URL, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    embedded = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    for one in (address, embedded):
        if one is not None and (not one.is_global or one.is_multicast):
            raise DownloadRefusedError(
                f"{url}: {url.host} is {address}, which is no public address, so nothing is fetched from it. "
                "If it is to be, name the host in MEDKG_DOWNLOAD_PRIVATE_HOSTS."
            )
