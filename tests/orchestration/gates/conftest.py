"""What tests of gates and conversions share: a ledger and objects in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts import ObjectStore
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.stores.objects.opening import open_objects


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects((tmp_path / "objects").as_uri())
