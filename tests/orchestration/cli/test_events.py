"""`medkg events`: the last events, sinks, reading again, and wrong use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.orchestration.command_line import Medkg


def types(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["type"].removeprefix("org.medicalkg.orchestration.") for event in answer["events"]]


def test_tail_shows_what_happened_and_narrows_it(medkg: Medkg, abstracts: str) -> None:
    job_id = medkg("submit", "auto", "--path", abstracts)["job_id"]
    all_types = types(medkg("events", "tail"))
    assert all_types[:2] == ["job.opened", "job.listed"]
    assert all_types.count("document.queued") == 3
    assert types(medkg("events", "tail", "--type", "document", "--limit", "2")) == ["document.queued"] * 2
    assert len(types(medkg("events", "tail", "--job", job_id[:8]))) == len(all_types)
    assert types(medkg("events", "tail", "--job", "no-such-job")) == []
    queued = medkg("events", "tail", "--type", "queued")["events"][0]
    assert types(medkg("events", "tail", "--doc", queued["subject"])) == ["document.queued"]
    assert types(medkg("events", "tail", "--since", "2001-01-01", "--limit", "1")) == [all_types[-1]]
    assert "document.queued" in medkg.text("events", "tail")


def test_a_file_gets_everything_once_and_again_on_request(
    medkg: Medkg, abstracts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("MEDKG_EVENTS_FILE", str(path))
    medkg("submit", "auto", "--path", abstracts)
    assert medkg("events", "status")["not_started"] == ["file"]
    for _ in range(2):
        assert medkg("events", "relay", "--once") == {"problems": {}}
    published = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert published == [event["id"] for event in medkg("events", "tail", "--limit", "1000")["events"]]
    (sink,) = medkg("events", "status")["sinks"]
    assert (sink["name"], sink["behind"], sink["configured"]) == ("file", 0, True)
    assert medkg("events", "replay", "file", "--since", "1d")["facts"] > 0
    medkg("events", "relay", "--once")
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == published * 2
    medkg("events", "forget", "file")
    assert medkg("events", "status")["sinks"] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("tail", "--since", "yesterday"), "no age and no time"),
        (("replay", "kafka"), "medkg events status"),
        (("replay", "metrics"), "cannot be replayed"),
        (("forget", "nothing"), "medkg events status"),
        (("relay", "--once"), "nothing to publish to"),
    ],
)
def test_wrong_use_says_what_to_do(
    medkg: Medkg, abstracts: str, arguments: tuple[str, ...], part: str
) -> None:
    medkg("submit", "auto", "--path", abstracts)
    answer = medkg("events", *arguments, expect=2)
    assert part in answer["error"]["message"]
