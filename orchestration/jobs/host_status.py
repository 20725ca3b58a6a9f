"""What the host says of itself, for what goes on without it: commands, and metrics."""

from __future__ import annotations

from typing import Final

from orchestration.contracts.host import HostStatus
from orchestration.errors import HostUnavailableError
from orchestration.settings import Settings

__all__ = ["host_status"]

HOST_SECONDS: Final = 5.0
"""How long the answer is waited for."""


def host_status(settings: Settings, *, with_health: bool = False) -> HostStatus | HostUnavailableError:
    """Return the status of the data folder's host, or the error of the request for it."""
    from orchestration.jobs.host_client import HostClient

    try:
        return HostClient(settings, {"status": HOST_SECONDS}).status(with_health=with_health)
    except HostUnavailableError as error:
        return error
