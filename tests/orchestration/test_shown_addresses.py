"""Addresses in messages have no passwords and keys."""

from __future__ import annotations

import pytest

from orchestration.shown_addresses import shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://api.openalex.org/works?search=a&api_key=k&page=2",
            "https://api.openalex.org/works?search=a&api_key=***&page=2",
        ),
        ("http://ann:pass@host:9/x?q=1", "http://host:9/x?q=1"),
        ("https://host/a@b?email=c@d.org", "https://host/a@b?email=c@d.org"),
        ("https://s3/x?X-Amz-Signature=abc&y=1", "https://s3/x?X-Amz-Signature=***&y=1"),
        ("https://host/x?monkey=1", "https://host/x?monkey=1"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected
