"""A prefix of the test's own on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orchestration.s3 import url_of_its_own


@pytest.fixture
def s3_url() -> Iterator[str]:
    with url_of_its_own() as url:
        yield url
