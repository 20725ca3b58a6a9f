"""Searches on a machine that is several times slower leave no leg out."""

from __future__ import annotations

import json

import pytest

SECONDS = 60


@pytest.fixture(autouse=True)
def patient_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process and those that it starts."""
    monkeypatch.setenv("MEDKG_SEARCH_SECONDS", str(2 * SECONDS))
    legs = dict.fromkeys(("bm25", "sparse", "dense", "rerank"), SECONDS)
    monkeypatch.setenv("MEDKG_SEARCH_LEG_SECONDS", json.dumps(legs))
