"""What a result is judged by, compared with, and drawn as."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.bench import Bench
from benchmarks.compare import compared, read_result
from benchmarks.data.texts import questions_from, texts_of
from benchmarks.suite import CASES, chosen, run_suite
from benchmarks.targets import TARGETS, judged
from gpu_actors.profiles import get_profile
from orchestration.errors import UsageError

CASES_MEASURED: dict[str, dict[str, object]] = {
    "dense": {"plane_to_raw": 0.97, "plane_to_sentence_transformers": 2.5, "docs_per_second": {"plane": 80}},
    "launch": {"hot": {"share_outside_the_model": 0.14, "docs_per_second": 90.0}},
}


def test_targets_are_judged_by_profile_and_what_was_not_measured_is_not_kept() -> None:
    of_cpu = {str(verdict.target): verdict for verdict in judged(CASES_MEASURED, "cpu")}
    of_gpu = {str(verdict.target): verdict for verdict in judged(CASES_MEASURED, "gpu")}

    assert of_cpu["dense: plane_to_raw at least 0.95"].kept
    assert not of_cpu["dense: plane_to_sentence_transformers at least 3"].kept
    assert of_cpu["launch: hot.share_outside_the_model at most 0.15"].kept
    assert "launch: hot.docs_per_second at least 100" not in of_cpu
    assert not of_gpu["launch: hot.docs_per_second at least 100"].kept
    unmeasured = of_gpu["handoff: at_80_percent.p95_ms at most 500"]
    assert unmeasured.value is None and not unmeasured.kept and "not measured" in str(unmeasured)


def test_every_target_is_of_a_case_that_there_is() -> None:
    assert {target.case for target in TARGETS} <= set(CASES)


def test_a_comparison_begins_with_what_changed_most() -> None:
    before = {"cases": {"dense": {"a": 10.0, "b": {"c": 4.0}, "gone": 1}, "old": {"x": 1}}}
    now = {"cases": {"dense": {"a": 11.0, "b": {"c": 8.0}, "new": 1}, "young": {"x": 1}}}

    assert compared(before, now) == [("dense", "b.c", 4.0, 8.0, 2.0), ("dense", "a", 10.0, 11.0, 1.1)]


@pytest.mark.parametrize("content", ["", "[]", '{"cases": 3}', '{"figures": {}}'])
def test_what_is_no_result_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"result\.json"):
        read_result(path)


def test_an_unknown_case_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no case speed; there are dense"):
        chosen(["dense", "speed"])
    assert chosen([]) == list(CASES)


def test_a_path_without_texts_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    bench = Bench(get_profile("cpu"), tmp_path, 10, 1, 7)
    with pytest.raises(UsageError, match="holds nothing to measure on"):
        run_suite(bench, ["dense"], tmp_path / "result.json", print)
    assert not (tmp_path / "result.json").exists()


def test_texts_and_questions_are_the_same_for_a_seed(tmp_path: Path) -> None:
    record = {"pmid": "1", "sections": [{"label": "AIM", "text": "To walk " * 30}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n\n")
    (tmp_path / "b.txt").write_text("Sleep is good for most adults who walk every day of the week.")

    texts = list(texts_of(tmp_path, lambda text: True))

    assert [text[:6] for text in texts] == ["AIM\n\nT", "Sleep "]
    assert questions_from(texts, 9, 7) == questions_from(texts, 9, 7) != questions_from(texts, 9, 8)
    assert all(4 < len(question.split()) <= 16 for question in questions_from(texts, 9, 7))


def test_a_measurement_of_the_index_goes_into_its_file(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(20):
        (texts / f"{number}.txt").write_text(f"Trial {number} was about walking and sleeping.")
    out = tmp_path / "results" / "cpu.json"

    result = run_suite(Bench(get_profile("cpu"), texts, 20, 1, 7), ["index"], out, lambda _: None)

    written = json.loads(out.read_text())
    assert written == result and written["seed"] == 7 and written["hardware"]["cores"] >= 1
    assert written["cases"]["index"]["chunks"] == 20
    assert written["cases"]["index"]["chunks_per_second"]["dual_write"] > 0
    assert compared(result, written)[0][-1] == 1.0


def test_pictures_are_drawn_of_throughput_and_latency(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.plots import draw

    percentiles = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}
    cases = {
        "dense": {"docs_per_second": {"raw": 90.0, "plane": 89.0}},
        "handoff": {"at_80_percent": percentiles},
    }
    machine = {"cores": 2, "gpus": []}
    result = {"profile": "cpu", "measured_at": "2026-11-24T00:00:00", "hardware": machine, "cases": cases}

    pictures = draw(result, tmp_path)

    assert [picture.name for picture in pictures] == ["throughput.png", "latency.png"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
