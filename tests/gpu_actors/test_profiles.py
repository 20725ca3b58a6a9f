"""Profiles: what they need is said before anything is loaded; ids are cheap and stable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_actors import profiles
from gpu_actors.plane import check_devices, component_versions, model_ids, start_plane
from gpu_actors.profiles import NO_MODEL, chosen_profile, find_model, get_profile
from orchestration.errors import ConfigurationError, GpuUnavailableError


def a_model_folder(folder: Path, **config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="cpu, gpu, gpu-large"):
        get_profile("tpu")


def test_without_the_minilm_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MINILM_PACKAGE", "no_such_package")
    find_model.cache_clear()
    with pytest.raises(ConfigurationError, match="make setup"):
        find_model("all-MiniLM-L6-v2")
    find_model.cache_clear()


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"tokenizer\.json is missing"):
        find_model(str(tmp_path))


def test_a_hub_model_that_is_not_here_has_an_id_but_no_files() -> None:
    model = find_model("example/no-such-model")

    assert model.model_id == "example/no-such-model"
    with pytest.raises(ConfigurationError, match="hf download example/no-such-model"):
        _ = model.files


def test_a_profiles_own_sparse_model_may_be_absent_and_the_profile_says_so() -> None:
    profile = chosen_profile("gpu")

    assert profile.sparse_model is None
    assert "hf download prithivida/Splade_PP_en_v2" in str(profile.sparse_off)
    assert "sparse" not in model_ids(profile)


def test_a_sparse_model_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(ConfigurationError, match="hf download example/no-such-model"):
        chosen_profile("cpu", sparse_model="example/no-such-model")
    with pytest.raises(ConfigurationError, match="MEDKG_SPARSE_MODEL"):
        chosen_profile("cpu", sparse_model="no-such-folder")


def test_the_sparse_leg_can_be_turned_off() -> None:
    profile = chosen_profile("cpu", sparse_model=NO_MODEL)

    assert profile.sparse_model is None and profile.sparse_off == "MEDKG_SPARSE_MODEL is none"


def test_another_configuration_is_another_revision(tmp_path: Path) -> None:
    small = find_model(str(a_model_folder(tmp_path / "one", hidden_size=8)))
    large = find_model(str(a_model_folder(tmp_path / "two", hidden_size=16)))

    assert small.model_id.split("@")[1] != large.model_id.split("@")[1]


def test_the_position_table_limits_the_tokens_of_another_model(tmp_path: Path) -> None:
    short = find_model(str(a_model_folder(tmp_path / "short", max_position_embeddings=128)))
    roberta = a_model_folder(tmp_path / "r", max_position_embeddings=514, model_type="xlm-roberta")

    assert short.token_limit(512) == 128
    assert find_model(str(roberta)).token_limit(8192) == 512


def test_ids_and_versions_need_neither_torch_nor_ray() -> None:
    check = (
        "import sys; from gpu_actors import plane; plane.model_ids(plane.chosen_profile('cpu'));"
        "plane.component_versions();"
        "sys.exit(bool({'torch', 'ray', 'haystack'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    ids = model_ids(chosen_profile("cpu"))
    assert ids["dense"].startswith("all-MiniLM-L6-v2@") and ids["sparse"].startswith("splade-mini@")
    assert component_versions()["chunker"]


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
def test_a_gpu_profile_refuses_a_machine_without_gpu_with_exit_code_99(tmp_path: Path) -> None:
    with pytest.raises(GpuUnavailableError, match="--profile cpu") as refused:
        start_plane(chosen_profile("gpu"), folder=tmp_path, dashboard=False)

    assert refused.value.exit_code == 99
    with pytest.raises(GpuUnavailableError):
        check_devices(chosen_profile("gpu-large"))
    assert check_devices(chosen_profile("cpu")) == []
