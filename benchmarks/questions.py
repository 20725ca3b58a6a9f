"""Turn questions with `relevant_pmid` into what `medkg eval` reads: {question_id, question, relevant}.

python -m benchmarks.questions IN.jsonl OUT.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Map every line; one relevant document a question."""
    source, target = map(Path, sys.argv[1:3])
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").split("\n") if line.strip()]
    mapped = [
        {
            "question_id": str(line["question_id"]),
            "question": line["question"],
            "relevant": [str(line["relevant_pmid"])],
        }
        for line in lines
    ]
    target.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in mapped), "utf-8")


if __name__ == "__main__":
    main()
