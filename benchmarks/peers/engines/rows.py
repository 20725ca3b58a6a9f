"""Token rows as a file between processes: an .npz of the rows end to end and their lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .contract import Rows

__all__ = ["read_rows", "write_rows"]


def write_rows(path: Path, rows: Rows) -> Path:
    """The path, written: token_ids int32 [sum(lengths)], lengths int64 [n]."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    np.savez(path, token_ids=np.concatenate(rows).astype(np.int32), lengths=lengths)
    return path


def read_rows(path: Path) -> Rows:
    """What write_rows wrote."""
    with np.load(path) as held:
        return np.split(held["token_ids"], np.cumsum(held["lengths"])[:-1])
