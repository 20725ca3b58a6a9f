"""An S3 server that tests share, each under its own prefix; named by MEDKG_TEST_S3_ENDPOINT and AWS_*."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import httpx
import obstore
import pytest
from obstore.store import S3Store

from orchestration.stores.objects.opening import open_objects

SERVER = os.environ.get("MEDKG_TEST_S3_ENDPOINT", "")
BUCKET = "medkg-tests"


@contextmanager
def own_url() -> Iterator[str]:
    """s3://BUCKET/PREFIX whose objects are removed in the end; skips the test without a server.

    AWS_ENDPOINT_URL names the server meanwhile.
    """
    if not SERVER:
        pytest.skip("needs MEDKG_TEST_S3_ENDPOINT=http://HOST:PORT of an S3 server, and AWS_* for it")
    _make_bucket()
    name = f"test-{uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", SERVER)
        yield f"s3://{BUCKET}/{name}"
        open_objects(f"s3://{BUCKET}").delete_all(name)


def _make_bucket() -> None:
    """By a signed PUT: obstore writes objects alone."""
    store = S3Store(BUCKET, endpoint=SERVER, client_options={"allow_http": True})
    answer = httpx.put(obstore.sign(store, "PUT", "", timedelta(minutes=1)))
    assert answer.status_code in (200, 409), answer.text
