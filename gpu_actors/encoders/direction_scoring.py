"""The direction model: what an intervention did to an outcome, as a piece of evidence states it.

Input: questions with their evidence as rows of the encoder, and a row's last hidden states. Output: a
direction with its confidence. A row is [CLS] intervention [SEP] comparator [SEP] outcome [SEP] evidence
[SEP]; the model reads the state of its first token and the mean of all. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.encoders.extractor_files import ExtractorFiles
from orchestration.contracts import EffectStatement, ReadDirection
from orchestration.errors import ConfigurationError

__all__ = ["DirectionReader"]


class DirectionReader:
    """The weights `direction.*` of an extractor model with its tokenizer; thread-safe."""

    def __init__(self, files: ExtractorFiles) -> None:
        """Raises ConfigurationError for a model without directions."""
        configuration = files.configuration
        if configuration.direction is None:
            raise ConfigurationError(
                f"extraction model {files.folder} reads no directions of effects: its extractor.json has no "
                "`direction`. Train one with claims in its gold (medkg train-extractor)."
            )
        self._labels = configuration.direction.labels
        self._weight = files.heads["direction.weight"]
        self._bias = files.heads["direction.bias"]
        self._tokenizer = Tokenizer.from_file(str(files.folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last = self._tokenizer.encode("").ids
        self._tokenizer.encode_special_tokens = True  # text that looks like a special token is text
        self._part = configuration.max_question_tokens // 3
        self._most = configuration.max_direction_tokens

    def rows(self, statements: Sequence[EffectStatement]) -> list[TokenIds]:
        """Token ids of each statement, int32.

        Long parts of the question, and long evidence, are cut at their end.
        """
        return [self._row(statement) for statement in statements]

    def _row(self, statement: EffectStatement) -> TokenIds:
        ids = [self._first]
        for part in (statement.intervention, statement.comparator, statement.outcome):
            ids += [*self._ids(part)[: self._part], self._last]
        ids += [*self._ids(statement.evidence)[: self._most - 1 - len(ids)], self._last]
        return np.array(ids, dtype=np.int32)

    def _ids(self, text: str) -> list[int]:
        sound = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(sound, add_special_tokens=False).ids

    def read(self, states: npt.NDArray[np.floating]) -> ReadDirection:
        """The direction of a row, from its states [tokens, width]."""
        whole = np.asarray(states, np.float32)
        logits = self._weight @ np.concatenate([whole[0], whole.mean(0)]) + self._bias
        shares = np.exp(logits - logits.max())
        best = int(shares.argmax())
        return ReadDirection(self._labels[best], float(shares[best] / shares.sum()))
