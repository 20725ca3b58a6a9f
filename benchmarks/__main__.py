"""`python -m benchmarks [NAME ...]` is `medkg bench [NAME ...]`."""

from __future__ import annotations

import sys

from orchestration.cli import medkg

if __name__ == "__main__":
    sys.argv.insert(1, "bench")
    medkg()
