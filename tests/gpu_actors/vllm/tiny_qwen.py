"""Tiny Qwen3 models with random weights: they know nothing, but go through the real machinery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

INSTRUCTION = "Instruct: Given a search query, find passages that answer it\nQuery:"
END = "<|end|>"
WIDTH = 64


def chat_model(folder: Path) -> Path:
    """One that answers."""
    tokenizer = _tokenizer(folder, ends_rows=False)
    Qwen3ForCausalLM(_config(tokenizer)).save_pretrained(folder)
    return folder


def embedding_model(folder: Path) -> Path:
    """One that embeds as Qwen3-Embedding does: the last token's state, at unit length; queries instructed."""
    tokenizer = _tokenizer(folder, ends_rows=True)
    Qwen3Model(_config(tokenizer)).save_pretrained(folder)
    pooling = {"word_embedding_dimension": WIDTH, "pooling_mode_lasttoken": True}
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{kind}" if number else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, kind in enumerate(kinds)
    ]
    prompts = {"prompts": {"query": INSTRUCTION, "document": ""}, "similarity_fn_name": "cosine"}
    for path, content in {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "config_sentence_transformers.json": prompts,
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _tokenizer(folder: Path, *, ends_rows: bool) -> PreTrainedTokenizerFast:
    """Bytes and a few words; rows end with the end token where the model pools it."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=[END], vocab_size=300)
    words.train_from_iterator(["a trial of walking"], trainer)
    if ends_rows:
        words.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, words.token_to_id(END))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token=END, pad_token=END)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(folder)
    return tokenizer


def _config(tokenizer: PreTrainedTokenizerFast) -> Any:
    torch.manual_seed(7)
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
    )
