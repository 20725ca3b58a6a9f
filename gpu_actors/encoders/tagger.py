"""The encoder and tagger of an extractor model: token rows to mentions and states.

Input: token ids with special tokens, one micro-batch at a time. Output: mentions by row and piece, and the
last hidden states, which the relation model needs (relation_scoring.py). A plain BERT on the CPU runs in
bert_models.BertTokens, in int8, bf16 or fp32 (precision.py), everything else in transformers' own forward.
The tagger itself is computed in fp32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gpu_actors.batches.micro_batches import encoded_in_process
from gpu_actors.batches.packing import pad
from gpu_actors.batches.reading_windows import WindowTokenizer
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.cpu_bert.bert_models import BertTokens, plain_token_bert
from gpu_actors.encoders.direction_scoring import DirectionReader
from gpu_actors.encoders.extractor_files import ExtractorFiles
from gpu_actors.encoders.precision import Forward, load_model
from gpu_actors.encoders.tag_decoding import TagDecoder, names_of_mentions
from gpu_actors.encoders.tagged_rows import TaggedRows
from gpu_actors.encoders.tagged_text import ReadWindow, RelationHead, TextOfWindows
from gpu_actors.profiles import Profile, find_model
from orchestration.contracts import EffectStatement, ReadDirection, TextToTag

__all__ = ["Tagger"]


LEAST_TOKEN_COSINE: Final = 0.95
"""To fp32, of each token's state in the probe. Single tokens differ more than pooled vectors do: in int8 the
worst of 346 had .989, with the label of fp32 for .997 of them and F1 of mentions .001 lower."""


class Tagger:
    """A loaded model. `lanes` threads may call `encode` at the same time (see torch_encoder.py)."""

    def __init__(self, profile: Profile) -> None:
        assert profile.extraction_model is not None
        model = find_model(profile.extraction_model)
        files = ExtractorFiles(model.files)
        self.model_id = model.model_id
        self.reads_directions = files.configuration.direction is not None
        self.lanes = profile.lanes
        self._files = files
        self._batch_tokens = profile.batch_tokens
        self._windows = WindowTokenizer(model.files, files.configuration.max_tokens)
        tokenizer = TextTokenizer(model.files, files.configuration.max_tokens)
        plain = plain_token_bert(model.files) if profile.device == "cpu" else None
        load: Callable[[torch.dtype], Forward]
        if plain is not None:
            load, dtypes = partial(BertTokens, plain, tokenizer.ends), {torch.bfloat16, torch.int8}
        else:
            load, dtypes = partial(_transformers, model.files, profile.device), {torch.bfloat16}
        self._model = load_model(load, dtypes, profile.device, tokenizer, LEAST_TOKEN_COSINE)
        self.device, self.dtype = profile.device, self._model.dtype
        self.sample: TokenIds | None = self._model.sample
        heads = files.heads
        self.decoder = TagDecoder(
            files.configuration.tagger.labels,
            heads["tagger.transitions"],
            heads["tagger.start"],
            _continuations(model.files),
        )
        self._weight = torch.from_numpy(heads["tagger.weight"]).to(profile.device)
        self._bias = torch.from_numpy(heads["tagger.bias"]).to(profile.device)
        self.width = self._weight.shape[1]
        """Of a token's state."""

    @torch.inference_mode()
    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> TaggedRows:
        """Return mentions and states of rows given end to end, int32 [sum(lengths)]."""
        states = self._model(token_ids, lengths).float()
        logits = torch.nn.functional.linear(states, self._weight, self._bias).cpu().numpy()
        mentions = self.decoder.decode(logits, token_ids, lengths)
        return TaggedRows(mentions, states.to(torch.float16).cpu().numpy())

    def tag(self, texts: Sequence[TextToTag]) -> list[TextOfWindows]:
        """Return texts as the model reads them, in order."""
        head, labels = (
            RelationHead.of(self._files),
            names_of_mentions(self._files.configuration.tagger.labels),
        )
        windows = [self._windows.windows(text) for text in texts]
        flat = [window for of_text in windows for window in of_text]
        read: list[ReadWindow | None] = [None] * len(flat)
        rows = [window.token_ids for window in flat]
        for batch, tagged in encoded_in_process(rows, self._batch_tokens, self.lanes, self.encode):
            parts = tagged.split(batch.lengths)
            for position, (mentions, states) in zip(batch.positions, parts, strict=True):
                read[position] = ReadWindow(flat[position], mentions, states)
        remaining = iter(read)
        return [
            TextOfWindows([each for _ in of_text if (each := next(remaining))], labels, head)
            for of_text in windows
        ]

    def directions(self, statements: Sequence[EffectStatement]) -> list[ReadDirection]:
        """Return what the evidence of each statement says, in order; raises as DirectionReader."""
        reader = DirectionReader(self._files)
        read: list[ReadDirection | None] = [None] * len(statements)
        rows = reader.rows(statements)
        for batch, tagged in encoded_in_process(rows, self._batch_tokens, self.lanes, self.encode):
            for position, (_, states) in zip(batch.positions, tagged.split(batch.lengths), strict=True):
                read[position] = reader.read(states)
        return [each for each in read if each is not None]


def _transformers(folder: Path, device: str, dtype: torch.dtype) -> Forward:
    """Last hidden states of any architecture, [tokens, width], by transformers' own forward."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    model = model.eval().to(device)

    def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        rows = pad(token_ids, lengths)
        ids, mask = rows.rectangle(device)
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return states.flatten(0, 1)[rows.real.to(device)]  # type: ignore[no-any-return]

    return forward


def _continuations(folder: Path) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """By token id, whether the piece continues a word, as WordPiece writes it."""
    vocabulary: dict[str, int] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    continues = np.zeros(max(vocabulary.values()) + 1, dtype=np.bool_)
    continues[[number for piece, number in vocabulary.items() if piece.startswith("##")]] = True
    return continues
