"""Replicas load their models without the libraries that those do not need."""

from __future__ import annotations

import subprocess
import sys

LOADING = """
import sys
from gpu_actors.pools.replicas import ChunkerReplica, EmbedderReplica, SparseEncoderReplica
from gpu_actors.profiles import chosen_profile

profile = chosen_profile("cpu")
ChunkerReplica(profile)
print("chunker", *({"torch", "haystack", "transformers"} & set(sys.modules)))
replicas = [EmbedderReplica(profile), SparseEncoderReplica(profile)]
print("models", *({"haystack", "transformers", "sentence_transformers"} & set(sys.modules)))
print(*(replica.health()["width"] for replica in replicas))
"""


def test_replicas_of_the_cpu_profile_import_neither_haystack_nor_transformers() -> None:
    process = subprocess.run(
        [sys.executable, "-c", LOADING], check=False, capture_output=True, text=True, timeout=240
    )

    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.splitlines() == ["chunker", "models", "384 30522"]
