"""Texts tagged by the plane: order, long texts, a killed replica, and what a plane without a model says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from gpu_actors.plane import LocalModels, RayPlane, connect_plane
from gpu_actors.profiles import chosen_profile
from orchestration.contracts import EffectStatement, TaggedText, TextToTag, values_of
from orchestration.errors import ConfigurationError
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane

TIMEOUT = PATIENCE


def texts(count: int, repeated: int = 17) -> list[TextToTag]:
    return [whole(f"{'Walking is cheap. ' * (n % repeated)}Case {n} took aspirin.") for n in range(count)]


def whole(text: str) -> TextToTag:
    return TextToTag(text, [(0, len(text))])


def mentions(tagged: TaggedText) -> list[tuple[int, int, str]]:
    return [(each.start_char, each.end_char, each.label) for each in tagged.spans]


def test_each_text_has_its_own_mentions_in_the_order_of_the_texts(plane: RayPlane) -> None:
    documents = texts(90)
    tagged = values_of(plane.tag(documents, TIMEOUT))
    local = LocalModels(chosen_profile("cpu"))
    expected = values_of(local.tag(documents, TIMEOUT))
    assert sum(map(len, map(mentions, tagged))) > 70
    # two processes may choose different dtypes, at which a few words are tagged differently
    same = sum(mentions(remote) == mentions(own) for remote, own in zip(tagged, expected, strict=True))
    assert same > 80


def test_a_text_of_many_windows_is_read_whole_and_nothing_is_nothing(plane: RayPlane) -> None:
    long = f"{'Walking is cheap. ' * 4000}The last took aspirin."
    tagged, nothing = values_of(plane.tag([whole(long), TextToTag("", [])], TIMEOUT))
    assert max(each.end_char for each in tagged.spans) > len(long) - 40 and not nothing.spans
    assert values_of(plane.tag([], TIMEOUT)) == []


def test_directions_are_read_as_in_one_s_own_process_in_the_order_of_the_statements(plane: RayPlane) -> None:
    statements = [
        EffectStatement("walking", "sitting", "pain", f"Pain scores {verb} with walking than with sitting.")
        for verb in ("were significantly lower (P < 0.001)", "were significantly higher (P < 0.001)")
    ]
    local = LocalModels(chosen_profile("cpu"))
    assert plane.reads_directions and local.reads_directions
    read = values_of(plane.directions(statements, TIMEOUT))
    assert [each.direction for each in read] == ["decreased", "increased"]
    own = values_of(local.directions(statements, TIMEOUT))
    assert [each.direction for each in own] == [each.direction for each in read]


def test_use_counts_what_was_tagged(plane: RayPlane) -> None:
    before = plane.use()
    plane.tag([whole("Walking is cheap.")] * 30, TIMEOUT)
    after = plane.use()
    assert after.tokens - before.tokens == 30 * 6
    assert after.cpu_seconds["tag"] > before.cpu_seconds.get("tag", 0)


def test_a_tagger_killed_under_load_loses_nothing(plane: RayPlane) -> None:
    documents = texts(400, repeated=100)
    expected = [mentions(each) for each in values_of(plane.tag(documents, TIMEOUT))]
    pid = plane.health()["extractors"][0]["pid"]

    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(plane.tag, documents, TIMEOUT)
        busy = psutil.Process(pid)
        seconds_before = busy.cpu_times().user
        while busy.cpu_times().user - seconds_before < 0.1:
            assert not pending.done()
        busy.kill()
        tagged = values_of(pending.result())

    assert [mentions(each) for each in tagged] == expected
    assert plane.health()["extractors"][0]["pid"] != pid


def test_a_client_without_an_extraction_model_gets_an_error_that_names_the_setting(plane: RayPlane) -> None:
    client = connect_plane(chosen_profile("cpu", extraction_model="none"), address=plane.address)
    assert client.extraction_model_id is None
    with pytest.raises(ConfigurationError, match="MEDKG_EXTRACTION_MODEL"):
        client.tag(texts(1), TIMEOUT)
