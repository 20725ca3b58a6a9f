"""The source that docs/plugins.md shows does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import respx

from medkg.testing.builders import a_study
from medkg.testing.source_suite import good_items, request_of
from orchestration.contracts import SourceRequest
from orchestration.records import RawPayload
from orchestration.sources.landing import Landing
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.sources import assembled

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "plugins.md"


def documented() -> Any:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    (code,) = [block for block in blocks if "class Walks" in block]
    names: dict[str, Any] = {}
    exec(code, names)
    return names["Walks"]


@respx.mock
def test_the_documented_source_lists_pages_and_has_expired_records_again(tmp_path: Path) -> None:
    pages = {
        "": {"studies": [a_study("NCT00000001")], "next": "b"},
        "b": {"studies": [a_study("NCT00000002")]},
        None: {"studies": [a_study("NCT00000001"), a_study("NCT00000002")]},
    }
    respx.get("https://walks.example/list").mock(
        side_effect=lambda request: httpx.Response(200, json=pages[request.url.params.get("after")])
    )
    with assembled(tmp_path) as assembly:
        walks = documented().from_services(SourceServices(lambda: assembly.web, assembly.settings))
        source = Landing(walks, lambda: assembly.objects, assembly.parsers, 10**6)
        items = good_items(source, SourceRequest(plugin="walks", query="sleep"))
        assert [item.doc_id for item in items] == ["NCT00000001", "NCT00000002"]
        assembly.objects.delete_all("raw")
        for outcome in source.fetch([request_of(item) for item in items]):
            assert isinstance(outcome, RawPayload)
