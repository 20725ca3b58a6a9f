"""The load of the graph is measured on what it says: same rows, same statements."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cases.graph_load import measured
from medkg.testing.builders import a_study, json_lines


def test_both_databases_get_the_same_rows_and_answers_have_figures(tmp_path: Path) -> None:
    studies = tmp_path / "studies.jsonl"
    drugs = {"interventions": [{"type": "DRUG", "name": "Melatonin"}]}
    studies.write_bytes(json_lines([a_study(f"NCT{n:08}", armsInterventionsModule=drugs) for n in range(3)]))
    figures = measured(studies, 450, None)
    assert (figures["documents"], figures["claims"] % 150) == (450, 0)
    assert figures["load"]["rate_to_bare"] > 0
    for name in ("neighbours", "paths_of_two_steps", "concepts"):
        assert figures[name]["p95_ms"] >= figures[name]["p50_ms"] > 0
    assert figures["differing_rows"] == 0
