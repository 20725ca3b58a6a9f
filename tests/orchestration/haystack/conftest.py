"""A data folder and a search over it, as the tests of retrieval have them; tests that are coroutines."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.orchestration.retrieval.conftest import data, make_search

__all__ = ["data", "make_search"]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine; others are pytest's own to run."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
