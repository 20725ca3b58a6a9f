"""A disk of a few pages, which a test fills: a tmpfs, so root alone has one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["fill", "read_only", "small_disk"]


@contextmanager
def small_disk(path: Path, size: str = "1m", inodes: int = 0) -> Iterator[Path]:
    """A new folder `path` on a separate disk; skips the test if it may not be mounted."""
    path.mkdir(parents=True)
    options = f"size={size},nr_inodes={inodes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "medkg-test", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Make the disk of `small_disk` read-only for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)


def fill(folder: Path) -> Path:
    """Fill the folder's disk to the last byte; returns the file that does it."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file, suppress(OSError):
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while file.write(os.urandom(size)):
                    pass
    return path
