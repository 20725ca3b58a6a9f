"""Which stores a data folder's index is in, kept beside it: in others its documents would seem to be gone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError, StoreUnwritableError

__all__ = ["check_stores"]

FILE: Final = "stores.json"


def check_stores(data_dir: Path, chosen: Mapping[str, str]) -> None:
    """Note the stores (setting to value) of a folder that has none yet.

    Raises ConfigurationError when the folder was started with others, StoreUnwritableError when it cannot be
    written.
    """
    path = data_dir / FILE
    try:
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(dict(chosen)), encoding="utf-8")
            partial.replace(path)
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreUnwritableError(
            f"{path} cannot be used: {error.strerror}. Set its permissions, or choose another --data-dir."
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is damaged ({error}). It names the stores of this folder's index, e.g. "
            f"{json.dumps(dict(chosen))}; write it again."
        ) from error
    if recorded != dict(chosen):
        settings = ", ".join(f"{name}={value}" for name, value in recorded.items())
        raise ConfigurationError(
            f"the index of {data_dir} was created with {settings}. Set these, or choose another --data-dir "
            "and ingest there."
        )
