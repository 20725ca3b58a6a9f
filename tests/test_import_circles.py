"""No module imports itself by way of others, not even for type checkers or inside functions.

import-linter's contracts hold the layers of rooms; this test also covers modules within a room.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


@pytest.mark.parametrize("package", ["gpu_actors", "orchestration", "benchmarks", "medkg"])
def test_no_import_circles(package: str) -> None:
    graph = grimp.build_graph(package, exclude_type_checking_imports=False)
    assert len(graph.modules) > 10
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"import circle: {' <- '.join(error.args[1])}")
