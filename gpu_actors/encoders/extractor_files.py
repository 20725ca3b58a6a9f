"""The files of an extractor model: its configuration and the weights of its heads, as arrays.

Input: a model's folder with model.safetensors and extractor.json. Output: ExtractorFiles: labels,
limits, and the heads' weights in float32. The encoder's own weights are read where it runs. Imports no torch,
so that the plane's clients can score relations.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError
from safetensors import safe_open

from orchestration.errors import ConfigurationError
from orchestration.records import Record

__all__ = ["ExtractorFiles", "RelationConfiguration", "Weights"]

CONFIGURATION: Final = "extractor.json"
WEIGHTS: Final = "model.safetensors"
HEADS: Final = ("tagger.", "relation.", "direction.")

Weights = dict[str, npt.NDArray[np.float32]]
"""Arrays by their names in model.safetensors."""


class _Tagger(Record):
    labels: tuple[str, ...] = Field(min_length=3, description="O, then B-X and I-X of each label X.")


class RelationConfiguration(Record):
    """What extractor.json says of the relation model."""

    predicate: str = Field(description="What the subject does to the object.")
    subject: str = Field(description="Label of subjects.")
    object: str = Field(description="Label of objects.")
    heads: int = Field(ge=1, description="Attention heads over the row.")
    features: tuple[str, ...] = Field(description="Names of the numbers beside the states, in order.")
    threshold: float = Field(description="Least logit of a relation.")


class _Direction(Record):
    labels: tuple[str, ...] = Field(description="Directions of an effect, in the order of the logits.")


class _Configuration(Record):
    format: Literal[1] = Field(description="Version of the layout.")
    name: str = Field(description="Name of the model.")
    max_tokens: int = Field(ge=16, le=8192, description="Of a row, special tokens included.")
    max_question_tokens: int = Field(default=96, ge=3, description="Intervention, comparator and outcome.")
    max_direction_tokens: int = Field(default=320, ge=16, description="Of a row of the direction model.")
    tagger: _Tagger
    relation: RelationConfiguration | None = None
    direction: _Direction | None = None


class ExtractorFiles:
    """A checked folder."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigurationError for a folder that is not one of an extractor model."""
        self.folder = folder
        path = folder / CONFIGURATION
        if not path.is_file():
            raise ConfigurationError(
                f"extraction model {folder}: {CONFIGURATION} is missing. Name the folder of an "
                "extractor of medkg in MEDKG_EXTRACTION_MODEL, or none."
            )
        try:
            self.configuration = _Configuration.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ConfigurationError(
                f"extraction model {path}: {place}: {first['msg']}. Train the model with this version of "
                "medkg, or name another in MEDKG_EXTRACTION_MODEL."
            ) from error

    @cached_property
    def heads(self) -> Weights:
        """Weights of the tagger, and of the relation and direction models where there are such."""
        with safe_open(str(self.folder / WEIGHTS), framework="np") as weights:
            return {
                name: weights.get_tensor(name).astype(np.float32)
                for name in weights.keys()  # noqa: SIM118 - not a mapping
                if name.startswith(HEADS)
            }
