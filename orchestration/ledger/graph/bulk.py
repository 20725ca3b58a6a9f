"""Many rows in one call of the driver: mentions and claims come by the thousand, and SQLAlchemy's handling of
each row's parameters would cost more than the database.

Input: tuples in the order of the columns, of types that both drivers take as they are. Output: rows. SQLite
binds them one after another, PostgreSQL takes them by COPY, or by a pipelined statement where rows may exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

__all__ = ["add_to_rows", "insert_rows"]

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
    replaced: Sequence[str],
) -> None:
    """Insert rows; where the primary key exists, add to some columns and replace others."""
    if not rows:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changes = [f"{name} = {table.name}.{name} + excluded.{name}" for name in added]
    changes += [f"{name} = excluded.{name}" for name in replaced]
    key = ", ".join(column.name for column in table.primary_key.columns)
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))}) "
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)}",
        list(rows),
    )
