"""Options of a converter, as a topology gives them.

Comes in: a mapping, and the record of the converter's options. Leaves: the record, or a ConfigurationError
with the valid fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from orchestration.errors import ConfigurationError
from orchestration.records import Record

__all__ = ["configured"]

C = TypeVar("C", bound=Record)


def configured(model: type[C], converter: str, config: Mapping[str, object]) -> C:
    """Return the options of a converter; raises ConfigurationError with the first wrong field."""
    try:
        return model.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            f"pdf converter {converter}: {field} is {first.get('input')!r}: {first['msg']}. Valid fields: "
            f"{', '.join(sorted(model.model_fields))}."
        ) from error
