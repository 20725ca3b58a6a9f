"""The extractor's network: one transformer with three heads.

Input: rows of token ids. Output: scores of words' labels, of pairs of concepts, and of directions. The
maths of each head is in the card of the shipped model, since the plane computes it again without this code.
Sources: document-level pairs with pooled mentions and a context per pair, Zhou et al., ATLOP,
arXiv:2010.11304; here that context is a learnt attention over the row, so that any transformer serves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from gpu_actors.training.extraction.attention import ATTENTION, register_attention
from gpu_actors.training.extraction.dropout import FastDropout
from gpu_actors.training.extraction.gold import CHEMICAL, DIRECTIONS, DISEASE
from gpu_actors.training.extraction.pairs import FEATURES, pair_features
from gpu_actors.training.extraction.rows import LABELS, Concept
from gpu_actors.training.extraction.sequence import LabelSequence

__all__ = ["ExtractorNetwork", "RelationHead"]

HEADS: Final = 4
CONTEXT: Final = 256
PRODUCT: Final = 128
HIDDEN: Final = 256


class RelationHead(nn.Module):
    """Whether a chemical of a row induces a disease of it."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(2 * width, CONTEXT)
        self.key = nn.Linear(width, CONTEXT, bias=False)
        self.value = nn.Linear(width, CONTEXT)
        self.subject = nn.Linear(width, PRODUCT)
        self.object = nn.Linear(width, PRODUCT)
        self.hidden = nn.Linear(2 * width + CONTEXT + PRODUCT + len(FEATURES), HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)
        self.dropout = FastDropout(dropout)

    def forward(self, hidden: Tensor, concepts: Sequence[Concept]) -> Tensor:
        """Logits float32 [chemicals, diseases] of one row; hidden: float32 [tokens, width]."""
        chemicals = [concept for concept in concepts if concept.kind == CHEMICAL]
        diseases = [concept for concept in concepts if concept.kind == DISEASE]
        subjects, objects = _pooled(hidden, chemicals), _pooled(hidden, diseases)
        first = subjects[:, None].expand(-1, len(objects), -1)
        second = objects[None].expand(len(subjects), -1, -1)
        both = torch.cat([first, second], dim=-1)
        product = self.subject(subjects)[:, None] * self.object(objects)[None]
        features = pair_features(chemicals, diseases).to(hidden.dtype)
        inputs = torch.cat([both, self._context(both, hidden), product, features], dim=-1)
        return self.out(self.dropout(functional.gelu(self.hidden(self.dropout(inputs)))))[..., 0]  # type: ignore[no-any-return]

    def _context(self, both: Tensor, hidden: Tensor) -> Tensor:
        """What each pair attends to in the row, [chemicals, diseases, CONTEXT]."""
        queries = self.query(both).view(*both.shape[:2], HEADS, -1)
        keys, values = (layer(hidden).view(len(hidden), HEADS, -1) for layer in (self.key, self.value))
        scores = torch.einsum("cdhw,thw->cdht", queries, keys) / math.sqrt(CONTEXT // HEADS)
        return torch.einsum("cdht,thw->cdhw", scores.softmax(-1), values).flatten(2)


def _pooled(hidden: Tensor, concepts: Sequence[Concept]) -> Tensor:
    """One vector per concept: the log of the summed exponentials of its mentions' means."""
    vectors = [
        torch.stack([hidden[first:last].mean(0) for first, last in concept.mentions]).logsumexp(0)
        for concept in concepts
    ]
    return torch.stack(vectors)


class ExtractorNetwork(nn.Module):
    """Transformer, tagger, relation and direction heads."""

    def __init__(self, base: Path, dropout: float = 0.1) -> None:
        """`base`: folder of a BERT in transformers' layout."""
        from transformers import BertModel

        super().__init__()
        register_attention()
        self.encoder: Any = BertModel.from_pretrained(
            str(base), attn_implementation=ATTENTION, add_pooling_layer=False, local_files_only=True
        )
        _without_slow_dropout(self.encoder, dropout)
        width = int(self.encoder.config.hidden_size)
        self.tagger = nn.Linear(width, len(LABELS))
        self.sequence = LabelSequence(LABELS)
        self.relation = RelationHead(width, dropout)
        self.direction = nn.Linear(2 * width, len(DIRECTIONS))
        self.dropout = FastDropout(dropout)

    def hidden(self, ids: Tensor, real: Tensor) -> Tensor:
        """Last hidden states float32 [rows, tokens, width] of ids int64 and real bool [rows, tokens]."""
        with torch.autocast("cpu", torch.bfloat16):
            states = self.encoder(input_ids=ids, attention_mask=real).last_hidden_state
        return states.float()  # type: ignore[no-any-return]

    def word_scores(self, hidden: Tensor, words: Tensor, most: int) -> Tensor:
        """Scores of words' labels, float32 [rows, most, labels]: means over their pieces.

        words: int64 [rows, tokens], number of the word that each piece is in; `most` for tokens in none.
        """
        scores: Tensor = self.tagger(self.dropout(hidden))
        sums = scores.new_zeros(len(words), most + 1, scores.shape[-1])
        sums = sums.scatter_add(1, words[..., None].expand_as(scores), scores)
        counts = torch.zeros(len(words), most + 1).scatter_add(1, words, torch.ones(words.shape))
        return (sums / counts.clamp(min=1)[..., None])[:, :most]

    def direction_scores(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Scores of DIRECTIONS, float32 [rows, 3]: of [CLS] and the mean of all tokens."""
        mean = (hidden * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return self.direction(self.dropout(torch.cat([hidden[:, 0], mean], dim=-1)))  # type: ignore[no-any-return]


def _without_slow_dropout(encoder: nn.Module, share: float) -> None:
    """Replace torch's dropout in every module of the encoder."""
    for module in list(encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, FastDropout(share))
