"""Other models under a running ingest: no document fails, and vectors of two models never mix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpu_actors.plane import LocalModels
from gpu_actors.profiles import chosen_profile, find_model
from medkg.testing.builders import a_shallower_model, an_abstract, json_lines
from orchestration.stores.faiss.segments import read_segment
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import OneHost
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

DOCUMENTS = 120
LONG = [{"label": "METHODS", "text": "We followed adults with poor sleep who took a daily walk. " * 25}]


@pytest.fixture
def medkg(host: OneHost) -> Iterator[Medkg]:
    """A tenant; afterwards the host has its models again."""
    medkg = host.tenant("swapping")
    yield medkg
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MEDKG_EMBEDDING_MODEL", raising=False)
        medkg("up", "--swap")


def abstracts(path: Path, first: int, count: int) -> Path:
    records = [an_abstract(str(first + number), sections=LONG) for number in range(count)]
    path.write_bytes(json_lines(records))
    return path


def test_models_are_swapped_under_load(medkg: Medkg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = a_shallower_model(find_model("all-MiniLM-L6-v2").files, tmp_path / "shallow")
    under_load = abstracts(tmp_path / "first.jsonl", 0, DOCUMENTS)
    run = medkg.process("run", "auto", "--path", str(under_load), "--window", "20", "--json")
    medkg.wait_until(lambda: medkg.count("committed") > 0, run)

    monkeypatch.setenv("MEDKG_EMBEDDING_MODEL", str(other))
    swapped = medkg("up", "--swap")

    stdout, stderr = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, stderr
    assert json.loads(stdout)["documents"]["committed"] == DOCUMENTS
    assert swapped["models"]["dense"].startswith("shallow@")
    second = medkg("run", "auto", "--path", str(abstracts(tmp_path / "second.jsonl", 5000, 10)))
    assert second["documents"]["committed"] == 10
    body = medkg("docs", "show", "5000")["chunks"][0]["body"]
    counts = {model: vectors_are_of(medkg, model, body) for model in ("all-MiniLM-L6-v2", str(other))}
    assert sum(counts.values()) == DOCUMENTS + 10
    assert all(count > 0 for count in counts.values())
    assert medkg("verify")["consistent"]
    _, warnings = medkg.process("search", "sleep", "--legs", "dense").communicate(timeout=PATIENCE)
    assert (
        f"{counts['all-MiniLM-L6-v2']} of {DOCUMENTS + 10} documents were embedded by another model"
        in warnings
    )
    assert medkg("status")["vectors"] == {
        find_model(model).model_id: count for model, count in counts.items()
    }
    again = medkg("run", "auto", "--path", str(under_load))["documents"]
    assert again["committed"] == counts["all-MiniLM-L6-v2"]  # those alone are of another model than asked for
    medkg.wait_until(lambda: len(medkg("status")["host"]["plane_health"]["embedders"]) == 1)


def vectors_are_of(medkg: Medkg, model: str, body: str) -> int:
    """How many vectors are in the model's namespace; every one of them is that model's."""
    expected = LocalModels(chosen_profile("cpu", model)).embed_texts([body])[0]
    namespace = medkg.data_dir / "vectors" / medkg.tenant / find_model(model).model_id
    embeddings = [read_segment(path).dense for path in namespace.rglob("*.segment")]
    for dense in embeddings:
        assert np.allclose(dense @ expected, 1, atol=2e-3)
    return sum(map(len, embeddings))
