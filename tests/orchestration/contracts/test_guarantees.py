"""Every protocol between rooms states its guarantees: itself, its module, or the ledger it is part of."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import get_type_hints

import pytest

from orchestration import contracts
from orchestration.contracts import Ledger


def protocols() -> Iterator[type]:
    for module in pkgutil.iter_modules(contracts.__path__, f"{contracts.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if getattr(value, "_is_protocol", False) and value.__module__ == module.name:
                yield value


def parts_of_the_ledger() -> set[type]:
    properties = [value for value in vars(Ledger).values() if isinstance(value, property)]
    return {get_type_hints(part.fget)["return"] for part in properties}


@pytest.mark.parametrize("protocol", list(protocols()), ids=lambda protocol: protocol.__name__)
def test_a_protocol_states_its_guarantees(protocol: type) -> None:
    stated = [protocol.__doc__, importlib.import_module(protocol.__module__).__doc__]
    if protocol in parts_of_the_ledger():
        stated.append(Ledger.__doc__)
    assert any("Guarantees" in text for text in stated if text)
