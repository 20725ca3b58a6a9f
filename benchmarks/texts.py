"""What is measured on: texts from files, and questions made from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

__all__ = ["as_abstracts", "as_files", "questions_from", "synthetic", "texts_of"]


def texts_of(path: Path) -> list[str]:
    """Abstracts of JSONL files ({sections: [{label, text}]}) and contents of text files below the path."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    texts: list[str] = []
    for file in files:
        if file.suffix == ".jsonl":
            for line in file.read_text(encoding="utf-8").split("\n"):
                record = json.loads(line) if line.strip() else {}
                if "sections" in record:
                    texts.append("\n\n".join(f"{s['label']}\n{s['text']}" for s in record["sections"]))
        elif file.suffix in (".md", ".txt"):
            texts.append(file.read_text(encoding="utf-8"))
    return texts


def questions_from(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Runs of eight to sixteen words from the texts, the same for a seed."""
    rng = random.Random(seed)
    questions = []
    for _ in range(count):
        words = rng.choice(texts).split()
        length = min(len(words), rng.randint(8, 16))
        start = rng.randrange(len(words) - length + 1)
        questions.append(" ".join(words[start : start + length]))
    return questions


def synthetic(texts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Short texts, a number and a sentence of the given ones each, no two alike; the same for a seed."""
    rng = random.Random(seed)
    sentences = [one.strip() for text in texts for one in re.split(r"(?<=[.?!])\s+", text) if one.strip()]
    for number in range(count):
        yield f"Record {number}. {rng.choice(sentences)}"


def as_abstracts(path: Path, texts: Iterable[str], first: int = 1) -> Path:
    """The path, written with an abstract of each text, numbered from `first`, one JSON object a line."""
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(texts, start=first):
            record = {"pmid": str(number), "sections": [{"label": "ABSTRACT", "text": text}]}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def as_files(folder: Path, texts: Sequence[str]) -> Path:
    """The folder, made, with a file of each text."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder
