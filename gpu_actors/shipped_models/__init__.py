"""The models that medkg ships, as package data: small ones that let every leg run offline.

`shipped_model(name)` is a model's folder, with its card (README.md), in the layout that transformers and
sentence-transformers load. How one of your own is made is in `training`, which its command alone imports.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_model"]


def shipped_model(name: str) -> Path | None:
    """Folder of a shipped model, e.g. splade-mini; None if medkg ships none of that name."""
    folder = Path(__file__).resolve().parent / name
    return folder if (folder / "config.json").is_file() else None
