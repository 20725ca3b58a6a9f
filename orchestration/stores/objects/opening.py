"""The object store that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestration.contracts.objects import ObjectStore

__all__ = ["open_objects"]


def open_objects(url: str) -> ObjectStore:
    """The store at file:///FOLDER or s3://BUCKET[/PREFIX], as settings have checked it; asks no server yet.

    Raises ConfigurationError for half of a pair of credentials, StoreUnwritableError for a folder that cannot
    be made.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from orchestration.stores.objects.s3 import S3Objects

        return S3Objects(parts.netloc, parts.path.strip("/") or None)
    from orchestration.stores.objects.folder import FolderObjects

    return FolderObjects(Path(unquote(parts.path)))
