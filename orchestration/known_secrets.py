"""Keys, tokens and passwords among the settings, for what must not show them: the log.

Comes in: settings. Leaves: the secret values, as they are written in the settings and as they are used.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from orchestration.settings import Settings

__all__ = ["known_secrets"]

LEAST_SECRET: Final = 4
"""Characters; shorter ones would blot out ordinary words."""

LEAST_TOKEN: Final = 16
"""Characters of the end of a webhook's address from which on it is taken for a token."""


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """The secret values of these settings, in order."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
    for value in values:
        password = _password(value) if isinstance(value, str) else None
        if password:
            secrets |= {password, unquote(password)}
    webhook = urlsplit(settings.events_webhook or "").path.rpartition("/")[2]
    if len(webhook) >= LEAST_TOKEN:
        secrets.add(webhook)
    return tuple(sorted(secret for secret in secrets if len(secret) >= LEAST_SECRET))


def _password(url: str) -> str | None:
    """The password in an address, as it is written there."""
    try:
        return urlsplit(url).password
    except ValueError:  # no address
        return None
