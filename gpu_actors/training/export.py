"""A trained student as a folder that transformers, sentence-transformers and medkg load alike.

Input: a student. Output: its weights and tokenizer in transformers' layout, and the few files that make it
a SparseEncoder of sentence-transformers. Those are written here under the names that releases 5 and 6 both
read, since each release's own `save` names modules that the other does not know.
Layout: https://sbert.net/docs/sparse_encoder/usage/custom_models.html.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gpu_actors.training.student import Student
from orchestration.errors import UsageError

__all__ = ["check_free", "export", "whole_or_nothing"]

MODULES: Final = "sentence_transformers.sparse_encoder.models"

FORGOTTEN: Final = ("is_local", "local_files_only", "max_length", "pad_to_multiple_of", "stride")
"""What a tokenizer remembers of how it was loaded and of cutting texts, which nothing here does."""


def check_free(out: Path) -> None:
    """Raise UsageError unless a folder can be put at `out`: nothing there, or an empty folder."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if os.path.lexists(out):
        raise UsageError(
            f"--out {out} is there already and is no empty folder; nothing is overwritten. Name another "
            "one, or remove it."
        )


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place at the end, and vanishes if anything goes wrong."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        check_free(out)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def export(student: Student, base: Path, folder: Path) -> None:
    """Write model, tokenizer and modules; `base` is the folder whose tokenizer it is."""
    from transformers import AutoTokenizer

    student.model.eval().save_pretrained(str(folder))
    tokenizer = AutoTokenizer.from_pretrained(str(base), local_files_only=True)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.model_max_length = student.limit
    tokenizer.save_pretrained(str(folder))
    remembered = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    _put(folder, "tokenizer_config.json", {k: v for k, v in remembered.items() if k not in FORGOTTEN})
    _put(
        folder,
        "modules.json",
        [_module(0, "", "MLMTransformer"), _module(1, "1_SpladePooling", "SpladePooling")],
    )
    _put(folder, "sentence_bert_config.json", {"max_seq_length": student.limit, "do_lower_case": False})
    pooling = {
        "pooling_strategy": "max",
        "activation_function": "relu",
        "word_embedding_dimension": len(student.decoder),
    }
    _put(folder, "1_SpladePooling/config.json", pooling)
    encoder = {
        "model_type": "SparseEncoder",
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": None,
        "similarity_fn_name": "dot",
    }
    _put(folder, "config_sentence_transformers.json", encoder)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~_umask())


def _module(number: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": number, "name": str(number), "path": path, "type": f"{MODULES}.{kind}"}


def _put(folder: Path, name: str, value: Any) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
