"""What vectors stand for, as Arrow columns: ids as text, facets as lists of dictionary-encoded values.

Comes in: VectorRows, or the bytes of a table. Leaves: references for the few rows that are hits, and which
rows match a filter, by the vocabulary first. Nothing here creates one Python object per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.contracts import Filters, VectorRow
from orchestration.contracts.filters import FACETS

__all__ = [
    "COLUMNS",
    "Rows",
    "joined",
    "mapped_rows",
    "rows_of",
    "rows_of_table",
    "table_bytes",
    "write_table",
]

IDS: Final = ("source", "doc_id", "chunk_id")
COLUMNS: Final = (*IDS, *(f"facet.{name}" for name in FACETS))
MOST_PARTS: Final = 32
"""Tables put one after another are copied into one when they are more than this."""

Accepts = Callable[[Any], Any]
"""Which values of a vocabulary, an Arrow array, will do."""


@dataclass(frozen=True)
class Rows:
    """Columns IDS, and `facet.NAME` for each of FACETS; immutable."""

    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def taken(self, numbers: Sequence[int]) -> Rows:
        """These rows, in this order."""
        return Rows(self.table.take(pa.array(numbers, pa.int64())).combine_chunks())

    def ids(self, numbers: npt.NDArray[np.int64]) -> list[tuple[str, str, str]]:
        """(source, doc_id, chunk_id) of these rows, in this order."""
        wanted = numbers.tolist()
        sources, documents, chunks = (read(wanted) for read in self._readers)
        return list(zip(sources, documents, chunks, strict=True))

    @cached_property
    def _readers(self) -> list[Callable[[Sequence[int]], list[str]]]:
        """Of each of IDS."""
        return [_reader(self.table.column(name)) for name in IDS]

    def documents(self) -> Iterable[tuple[str, str]]:
        """(source, doc_id) of every row, in order."""
        return zip(*(self.table.column(name).to_pylist() for name in IDS[:2]), strict=True)

    def matching(self, filters: Filters) -> npt.NDArray[np.bool_] | None:
        """Which rows may be hits (bool [n]), as Filters.matches has it; None when all may."""
        wanted = {name: _among(values) for name, values in filters.wanted.items()}
        if filters.days is not None:
            wanted["date"] = _between(*filters.days)
        unwanted = {name: _among(values) for name, values in filters.unwanted.items()}
        if not wanted and not unwanted:
            return None
        allowed = np.ones(len(self), dtype=np.bool_)
        for name, accepts in wanted.items():
            allowed &= self._with(name, accepts)
        for name, accepts in unwanted.items():
            allowed &= ~self._with(name, accepts)
        return allowed

    def _with(self, facet: str, accepts: Accepts) -> npt.NDArray[np.bool_]:
        """Which rows have a value of the facet that is accepted."""
        chunks = self.table.column(f"facet.{facet}").chunks
        return np.concatenate([_any_of(chunk, accepts) for chunk in chunks])


def rows_of(rows: Sequence[VectorRow]) -> Rows:
    """The columns of these rows."""
    columns: dict[str, Any] = {
        "source": pa.array([row.key.source for row in rows], pa.string()).dictionary_encode(),
        "doc_id": pa.array([row.key.doc_id for row in rows], pa.string()),
        "chunk_id": pa.array([row.chunk_id for row in rows], pa.string()),
    }
    for name in FACETS:
        columns[f"facet.{name}"] = _lists([row.facets.get(name, ()) for row in rows])
    return Rows(pa.table(columns))


def joined(parts: Sequence[Rows], *, whole: bool = False) -> Rows:
    """Rows one after another; in one piece if `whole`, or when the pieces have become many."""
    table = pa.concat_tables([part.table for part in parts])
    if whole or table.column("doc_id").num_chunks > MOST_PARTS:
        table = table.combine_chunks()
    return Rows(table)


def table_bytes(rows: Rows) -> bytes:
    """An Arrow IPC stream of the rows."""
    sink = pa.BufferOutputStream()
    _write(rows, sink)
    return bytes(sink.getvalue())


def rows_of_table(content: memoryview) -> Rows:
    """The rows of an Arrow IPC stream in memory, which is not copied; what follows it is left alone."""
    return Rows(pa.ipc.open_stream(pa.py_buffer(content)).read_all())


def write_table(rows: Rows, path: Path) -> None:
    """An Arrow IPC stream of the rows; not flushed to disk."""
    with pa.OSFile(str(path), "wb") as sink:
        _write(rows, sink)


def mapped_rows(path: Path) -> Rows:
    """The rows of an Arrow IPC stream, mapped. Raises pyarrow.ArrowInvalid for one that is none."""
    return Rows(pa.ipc.open_stream(pa.memory_map(str(path))).read_all())


def _write(rows: Rows, sink: Any) -> None:
    table = rows.table.combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _reader(column: Any) -> Callable[[Sequence[int]], list[str]]:
    """Gives the values of a text column at some places, from its buffers: pyarrow takes 2 us for each."""
    if column.num_chunks != 1 or column.null_count:
        return lambda numbers: [column[number].as_py() for number in numbers]
    values = column.chunk(0)
    if pa.types.is_dictionary(values.type):
        vocabulary, codes = values.dictionary.to_pylist(), values.indices.to_numpy()
        return lambda numbers: [vocabulary[codes[number]] for number in numbers]
    _, ends, content = values.buffers()
    offsets = memoryview(ends).cast("i")[values.offset :]
    text = memoryview(content) if content is not None else memoryview(b"")
    return lambda numbers: [str(text[offsets[row] : offsets[row + 1]], "utf-8") for row in numbers]


def _lists(values: Sequence[Sequence[str]]) -> Any:
    """A list column of dictionary-encoded text."""
    ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
    flat = pa.array(list(chain.from_iterable(values)), pa.string())
    return pa.ListArray.from_arrays(pa.array(ends), flat.dictionary_encode())


def _among(values: Sequence[str]) -> Accepts:
    return lambda vocabulary: pc.is_in(vocabulary, pa.array(values, pa.string()))


def _between(first: str, last: str) -> Accepts:
    return lambda vocabulary: pc.and_(pc.greater_equal(vocabulary, first), pc.less_equal(vocabulary, last))


def _any_of(lists: Any, accepts: Accepts) -> npt.NDArray[np.bool_]:
    """Which lists have a value that is accepted; the vocabulary is asked once."""
    accepted = accepts(lists.values.dictionary).to_numpy(zero_copy_only=False).astype(np.bool_)
    ends = lists.offsets.to_numpy()
    hits = np.flatnonzero(accepted[lists.values.indices.to_numpy()])
    matching = np.zeros(len(lists), dtype=np.bool_)
    matching[np.searchsorted(ends, hits[(hits >= ends[0]) & (hits < ends[-1])], side="right") - 1] = True
    return matching
