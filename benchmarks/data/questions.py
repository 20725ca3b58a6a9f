"""Questions with `relevant_pmid` as what `medkg eval` reads: {question_id, question, relevant}.

python -m benchmarks.data.questions IN.jsonl OUT.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchestration.retrieval.evaluation import Question

__all__ = ["as_questions"]


def as_questions(source: Path) -> list[Question]:
    """The questions of a file, one relevant document each."""
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").split("\n") if line.strip()]
    return [
        Question(
            question_id=str(line["question_id"]),
            question=line["question"],
            relevant=(str(line["relevant_pmid"]),),
        )
        for line in lines
    ]


def main() -> None:
    """Map every line of a file into another."""
    source, target = map(Path, sys.argv[1:3])
    target.write_text(
        "".join(question.model_dump_json() + "\n" for question in as_questions(source)), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
