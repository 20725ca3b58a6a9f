"""Other models beside the serving ones: loaded, tried, switched to, and the previous ones ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from gpu_actors.plane import LocalModels, RayPlane
from gpu_actors.profiles import Model, chosen_profile
from medkg.testing.builders import a_shallower_model
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError, MedkgError
from tests.gpu_actors.encoders.tiny_cross_encoder import a_cross_encoder, assert_near
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane


def pids(plane: RayPlane, pool: str) -> list[int]:
    return [replica["pid"] for replica in plane.health()[pool]]


def test_a_successor_shares_what_stays_and_ends_what_goes(
    plane: RayPlane, minilm: Model, tmp_path: Path
) -> None:
    other = a_shallower_model(minilm.files, tmp_path / "shallow")
    before = {pool: pids(plane, pool) for pool in ("embedders", "expanders")}

    successor = plane.beside(chosen_profile("cpu", str(other)))

    assert successor.model_ids["dense"].startswith("shallow@")
    assert successor.model_ids["sparse"] == plane.model_ids["sparse"]
    texts = ["Metformin lowers glucose."]
    assert np.dot(successor.embed_texts(texts)[0], plane.embed_texts(texts)[0]) < 0.99
    assert pids(successor, "expanders") == before["expanders"]
    new = pids(successor, "embedders")
    successor.retire(plane)
    psutil.wait_procs([psutil.Process(pid) for pid in new if psutil.pid_exists(pid)], timeout=PATIENCE)
    assert not any(map(psutil.pid_exists, new))
    assert {pool: pids(plane, pool) for pool in before} == before


def test_a_model_that_does_not_load_changes_nothing(plane: RayPlane, minilm: Model, tmp_path: Path) -> None:
    torn = a_shallower_model(minilm.files, tmp_path / "torn")
    (torn / "model.safetensors").write_bytes(b"no weights")
    before = pids(plane, "embedders")

    with pytest.raises(MedkgError):
        plane.beside(chosen_profile("cpu", str(torn)))

    assert pids(plane, "embedders") == before and plane.embed_texts(["still here"]).shape == (1, 384)


def test_a_cross_encoder_is_loaded_beside_the_others_and_gives_their_scores_by_the_plane(
    plane: RayPlane, tmp_path: Path
) -> None:
    profile = chosen_profile("cpu", rerank_model=str(a_cross_encoder(tmp_path / "pairs")))
    passages = [f"{'Walking is cheap. ' * (number % 60)}Sleep {number}." for number in range(70)]
    passages.append("Statins lower cholesterol. " * 200)
    with pytest.raises(ConfigurationError, match="the plane has no rerank model"):
        plane.rerank("sleep", passages)

    successor = plane.beside(profile)

    scores = successor.rerank("Does walking help sleep?", passages)
    expected = LocalModels(profile).rerank("Does walking help sleep?", passages)
    assert_near(scores, expected)
    assert successor.rerank("sleep", []).shape == (0,)
    assert pids(successor, "embedders") == pids(plane, "embedders")
    with pytest.raises(EmbeddingInputTooLongError):
        successor.rerank("sleep " * 300, passages)
    new = pids(successor, "rerankers")
    successor.retire(plane)
    psutil.wait_procs([psutil.Process(pid) for pid in new if psutil.pid_exists(pid)], timeout=PATIENCE)
    assert not any(map(psutil.pid_exists, new))
