"""Strings that PDFium returns in buffers of the caller.

Comes in: a function of PDFium that writes UTF-16 into a buffer. Leaves: the text. PDFium's functions of this
kind return the length in bytes, with the final zero, and write only into a buffer that is long enough:
https://pdfium.googlesource.com/pdfium/+/refs/heads/main/public/fpdf_annot.h (read 2026-11-30).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

__all__ = ["written_string"]


def written_string(write: Callable[[Any, int], int], max_bytes: int) -> str:
    """The text that `write(buffer, bytes)` writes; '' if it is empty or longer than `max_bytes`."""
    import pypdfium2.raw as pdfium

    length = write(None, 0)
    if not 2 < length <= max_bytes:
        return ""
    buffer = ctypes.create_string_buffer(length)
    write(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
