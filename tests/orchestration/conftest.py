"""A prefix of the test's own on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orchestration.s3 import own_url


@pytest.fixture
def s3_url() -> Iterator[str]:
    with own_url() as url:
        yield url
