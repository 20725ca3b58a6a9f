"""The model that is trained: a BERT with a masked-language-model head, whose decoder is its word embeddings.

Input: token rows. Output: states under the decoder, and term weights with gradients. Attention and
products run over padded rows; everything above them over real tokens only.
Source of the pooling: SPLADE v2, arXiv:2109.10086: max over tokens of log(1 + relu(logit)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from gpu_actors.batches.packing import pad
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.health.cpu import cores
from orchestration.errors import ConfigurationError

__all__ = ["Student", "all_cores", "term_weights"]

SILENT_BIAS: Final = -100.0
"""Bias of terms that must never fire."""


class Student:
    """The model and what of it training needs by name."""

    def __init__(self, folder: Path, device: str, max_tokens: int) -> None:
        """Loads the base; raises ConfigurationError unless it is a BERT with a WordPiece tokenizer."""
        from transformers import BertForMaskedLM

        self.tokenizer = TextTokenizer(folder, max_tokens)
        _check(folder, self.tokenizer)
        loaded: Any = BertForMaskedLM.from_pretrained(
            str(folder),
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=True,
        )
        model, loading = loaded
        self.model: Any = model.to(device).train()
        self.device = device
        self.limit = int(self.model.config.max_position_embeddings)
        """Tokens of one text, special ones included."""
        self.has_head = not any(name.startswith("cls.") for name in loading["missing_keys"])
        """Whether the base has a head."""
        self.terms: dict[str, int] = self.tokenizer.vocabulary()
        """Token ids by text."""
        special = [number for text, number in self.terms.items() if text.startswith("[") and len(text) > 1]
        self.special = torch.tensor(sorted(special), device=device)
        """Ids of special and unused terms."""

    @property
    def transform(self) -> torch.nn.Module:
        """The head's layer under the decoder."""
        return self.model.cls.predictions.transform  # type: ignore[no-any-return]

    @property
    def decoder(self) -> Tensor:
        """Word embeddings, float32 [vocabulary, width]: the decoder's weight as well."""
        return self.model.get_input_embeddings().weight  # type: ignore[no-any-return]

    @property
    def bias(self) -> Tensor:
        """The decoder's bias, float32 [vocabulary]."""
        return self.model.cls.predictions.bias  # type: ignore[no-any-return]

    def token_rows(self, texts: Sequence[str], most: int | None = None) -> list[TokenIds]:
        """Token ids with special tokens; rows longer than `most` lose the tokens before their last one."""
        rows = self.tokenizer.token_ids(texts)
        if most is None:
            return rows
        return [row if len(row) <= most else np.append(row[: most - 1], row[-1]) for row in rows]

    def hidden(self, rows: Sequence[TokenIds]) -> Tensor:
        """Last hidden states of all rows' tokens end to end, float32 [sum of lengths, width]."""
        ids, mask = pad(np.concatenate(rows), [len(row) for row in rows]).rectangle(self.device)
        states = self.model.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return states[mask.bool()]  # type: ignore[no-any-return]

    def weights(self, rows: Sequence[TokenIds]) -> tuple[Tensor, Tensor]:
        """(term weights [rows, vocabulary], states at the rows' first and last tokens [2 rows, width])."""
        lengths = [len(row) for row in rows]
        states = self.transform(self.hidden(rows))
        ends = list(accumulate(lengths))
        edges = torch.tensor([0, *ends[:-1], *(end - 1 for end in ends)], device=self.device)
        return term_weights(states, lengths, self.decoder, self.bias), states.index_select(0, edges)

    @torch.no_grad()
    def hush(self) -> None:
        """Keep special and unused terms from ever firing."""
        self.bias[self.special] = SILENT_BIAS


@contextmanager
def all_cores() -> Iterator[None]:
    """Compute on all cores at once; the plane's encoders compute on one a lane instead."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def term_weights(states: Tensor, lengths: Sequence[int], decoder: Tensor, bias: Tensor) -> Tensor:
    """max over a row's tokens of log(1 + relu(states @ decoder.T + bias)), float32 [rows, vocabulary].

    A maximum passes its gradient to the token that gave it, and relu none to what is not positive: so only
    the few hundred active terms of a row are computed with gradients, from a search without. The logits of
    one row are held at a time.
    """
    rows, tokens, terms = _active(states.detach(), lengths, decoder.detach(), bias.detach())
    products = (states.index_select(0, tokens) * decoder.index_select(0, terms)).sum(1)
    logits = products + bias.index_select(0, terms)
    silent = states.new_zeros(len(lengths), len(decoder))
    return silent.index_put((rows, terms), torch.log1p(logits.clamp_min(0)))


def _active(
    states: Tensor, lengths: Sequence[int], decoder: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(row, token, term) of each positive maximum, int64 [active]; tokens are numbered over all rows."""
    rows, tokens, terms = [], [], []
    for number, (start, of_row) in enumerate(
        zip(accumulate(lengths, initial=0), torch.split(states, list(lengths)), strict=False)
    ):
        logits = of_row @ decoder.T
        active = (logits.amax(0) + bias > 0).nonzero()[:, 0]
        rows.append(torch.full_like(active, number))
        tokens.append(logits[:, active].argmax(0) + start)
        terms.append(active)
    return torch.cat(rows), torch.cat(tokens), torch.cat(terms)


def _check(folder: Path, tokenizer: TextTokenizer) -> None:
    from transformers import AutoConfig

    kind = AutoConfig.from_pretrained(str(folder), local_files_only=True).model_type
    if kind != "bert" or not tokenizer.counts_add_up:
        raise ConfigurationError(
            f"base {folder} is a {kind} model; a sparse model is made from a BERT with a WordPiece "
            "vocabulary. Choose another --base, e.g. all-MiniLM-L6-v2."
        )
