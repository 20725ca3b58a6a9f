"""Many rows in one call of the driver: mentions and claims come by the thousand, and SQLAlchemy's handling of
each row's parameters would cost more than the database.

Input: tuples in the order of the columns, of types that both drivers take as they are, or a SELECT. Output:
rows. SQLite binds them one after another, PostgreSQL takes them by COPY, or as JSON where rows may exist.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["add_selected", "add_to_rows", "change_rows", "insert_rows"]

Row = tuple[Any, ...]


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of a table; names of tables and columns are those of the schema."""
    if not rows:
        return
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))
        return
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def add_to_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    added: Sequence[str],
) -> None:
    """Insert rows of distinct keys; where the primary key exists, add to these columns."""
    if not rows:
        return
    changes = [f"{name} = {table.name}.{name} + excluded.{name}" for name in added]
    key = ", ".join(column.name for column in table.primary_key.columns)
    conflict = f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)}"
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {conflict}", list(rows)
        )
        return
    # one statement for all: a statement per row costs the server several times as much, also pipelined, and
    # the driver takes longer over arrays than over JSON
    values = ", ".join(
        f"(row ->> {place})::{table.c[name].type.compile(connection.dialect)}"
        for place, name in enumerate(columns)
    )
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) SELECT {values} FROM json_array_elements(%s::json) AS row "
        + conflict,
        (json.dumps(rows),),
    )


def add_selected(
    connection: Connection, table: Table, rows: Select[*tuple[Any, ...]], *, added: Sequence[str]
) -> None:
    """Insert the rows of a SELECT with a WHERE; where the primary key exists, add to these columns."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    statement = insert.from_select(table.columns.keys(), rows)
    changes = {name: table.c[name] + statement.excluded[name] for name in added}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changes)
    )


def change_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Change columns of rows: tuples of the new values, then of the primary key."""
    if not rows:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changes = ", ".join(f"{name} = {mark}" for name in columns)
    same = " AND ".join(f"{column.name} = {mark}" for column in table.primary_key.columns)
    connection.exec_driver_sql(f"UPDATE {table.name} SET {changes} WHERE {same}", list(rows))
