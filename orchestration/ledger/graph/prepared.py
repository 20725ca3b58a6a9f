"""Statements that are written once and sent by the driver: short answers spend most of their time elsewhere.

Input: SELECTs with named parameters (`TENANT`, `bindparam`, `one_of_parameter`), and their values. Output:
rows. SQLAlchemy compiles a statement once per dialect; afterwards an execution costs what the driver takes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Select, Text, bindparam

__all__ = ["LIMIT", "TENANT", "Prepared"]

TENANT: Final = bindparam("tenant_id", type_=Text())
LIMIT: Final = bindparam("limit", type_=Integer())


class Prepared:
    """A SELECT with named parameters."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, Sequence[str] | None, dict[str, Any]]] = {}

    def rows(self, connection: Connection, **values: Any) -> Sequence[Row[*tuple[Any, ...]]]:
        """Rows for these values of its parameters; lists are those of conditions `one_of`."""
        statement, order, constants = self._for(connection)
        parameters = {**constants, **values}
        if order is None:
            return connection.exec_driver_sql(statement, parameters).all()
        lists = {name: json.dumps(value) for name, value in values.items() if isinstance(value, list)}
        parameters |= lists
        ordered = tuple(parameters[name] for name in order)
        return connection.exec_driver_sql(statement, ordered).all()

    def _for(self, connection: Connection) -> tuple[str, Sequence[str] | None, dict[str, Any]]:
        """Text, order of parameters if they have no names, and values that the statement itself has."""
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            written: Any = self._statement.compile(dialect=dialect)
            constants = {name: value for name, value in written.params.items() if value is not None}
            compiled = (written.string, written.positiontup, constants)
            self._compiled[dialect.name] = compiled
        return compiled
