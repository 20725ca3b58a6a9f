"""docs/asyncapi.yaml describes every message on Kafka as it is written, and is up to date."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import ValidationError
from ruamel.yaml import YAML

from ops import asyncapi
from ops.asyncapi_examples import example_facts, example_messages
from orchestration.contracts.facts import FactBody
from orchestration.contracts.pdf_queue import PdfMessage, read_message
from orchestration.errors import errors_by_code
from orchestration.events.expansion import WITHOUT_EVENTS
from orchestration.events.factory import CloudEventFactory
from orchestration.events.types import EVENT_TYPES

DOCUMENT: dict[str, Any] = YAML(typ="safe", pure=True).load(asyncapi.FILE.read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
EVENTS = [name for name, message in MESSAGES.items() if message["name"] in EVENT_TYPES]
KINDS = {body.model_fields["kind"].default for body in get_args(get_args(FactBody)[0])}
"""Of facts."""


def is_moment(value: object) -> bool:
    """jsonschema checks no times without another library."""
    return datetime.fromisoformat(str(value)).tzinfo is not None


FORMATS = FormatChecker(["uuid"])
FORMATS.checkers["date-time"] = (is_moment, ValueError)


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    validator = Draft202012Validator(schema | {"components": DOCUMENT["components"]}, format_checker=FORMATS)
    return [error.message for error in validator.iter_errors(value)]


def examples(names: list[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for name in names:
        for example in MESSAGES[name].get("examples", ()):
            yield MESSAGES[name], example


def test_the_file_is_what_the_code_says() -> None:
    assert asyncapi.FILE.read_text(encoding="utf-8") == asyncapi.asyncapi_yaml()
    assert asyncapi.main(["--check"]) == 0


@pytest.mark.parametrize("text", ["asyncapi: 3.1.0\n", None])
def test_a_stale_or_absent_file_fails_the_check(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asyncapi, "FILE", tmp_path / "asyncapi.yaml")
    if text is not None:
        asyncapi.FILE.write_text(text, encoding="utf-8")
    assert asyncapi.main(["--check"]) == 1
    assert "asyncapi.yaml is not what the code says: make reference" in capsys.readouterr().out
    assert asyncapi.main([]) == 0
    assert asyncapi.main(["--check"]) == 0


def test_every_type_of_event_is_a_message_of_its_topic_and_every_message_a_type() -> None:
    channel = DOCUMENT["channels"]["events"]
    assert channel["address"] == "orchestration.events.v1"
    assert {MESSAGES[name]["name"] for name in channel["messages"]} == set(EVENT_TYPES)
    assert len(EVENTS) == len(EVENT_TYPES)


def test_the_messages_of_conversions_are_on_their_topics() -> None:
    channels = DOCUMENT["channels"]
    types = {model.model_fields["type"].default for model in get_args(get_args(PdfMessage)[0])}
    assert channels["conversions"]["address"] == "mineru.queue.v1"
    assert {MESSAGES[name]["name"] for name in channels["conversions"]["messages"]} == types
    assert channels["conversionDeadLetters"]["address"] == "mineru.queue.v1.dlq"


def test_there_is_one_example_fact_per_kind() -> None:
    assert len(KINDS) > 20
    assert sorted(fact.body.kind for fact in example_facts()) == sorted(KINDS)


@pytest.mark.parametrize("fact", example_facts(), ids=lambda fact: fact.body.kind)
def test_a_kind_of_fact_makes_events_or_is_known_to_make_none(fact: Any) -> None:
    assert bool(CloudEventFactory().events(fact)) is (fact.body.kind not in WITHOUT_EVENTS)


def test_kinds_without_events_are_kinds() -> None:
    assert WITHOUT_EVENTS <= KINDS


def test_every_message_with_a_schema_has_an_example_that_fits_it() -> None:
    for name, message in MESSAGES.items():
        assert bool(message.get("examples")) is (name != asyncapi.DEAD_LETTER), name
    for message, example in examples(list(MESSAGES)):
        assert problems(message["payload"], example["payload"]) == [], message["name"]
        assert problems(message["headers"], example["headers"]) == [], message["name"]


def test_examples_of_events_are_what_the_factory_makes() -> None:
    events = [event.as_json() for fact in example_facts() for event in CloudEventFactory().events(fact)]
    assert all(example["payload"] in events for _, example in examples(EVENTS))


def test_examples_of_events_have_no_field_that_their_model_does_not_have() -> None:
    for message, example in examples(EVENTS):
        EVENT_TYPES[message["name"]].model_validate_json(json.dumps(example["payload"]["data"]))


def test_the_envelope_has_every_attribute_that_the_factory_writes_and_no_other() -> None:
    written = [set(example["payload"]) for _, example in examples(EVENTS)]
    envelope = DOCUMENT["components"]["schemas"]["Envelope"]
    assert set.union(*written) == set(envelope["properties"])
    assert set.intersection(*written) == set(envelope["required"])


def test_keys_are_described_as_the_factory_writes_them() -> None:
    for message, example in examples(EVENTS):
        described, key = (
            message["bindings"]["kafka"]["key"]["description"],
            example["payload"]["partitionkey"],
        )
        of_tenant = described.startswith("TENANT/")
        parts = key.split("/") if of_tenant else [key]
        assert len(parts) == len(described.split(";")[0].split("/")) or not of_tenant, message["name"]
        assert (parts[0] == "default") is of_tenant, message["name"]


def test_examples_of_conversions_are_messages_that_hosts_and_workers_read() -> None:
    names = list(DOCUMENT["channels"]["conversions"]["messages"])
    read = [read_message(json.dumps(example["payload"]).encode()) for _, example in examples(names)]
    assert read == example_messages()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stage.failed", {"data": {"stage": "parse"}}),
        ("stage.failed", {"type": "org.medicalkg.orchestration.stage.completed"}),
        ("stage.failed", {"sequence": "7"}),
        ("stage.failed", {"time": "yesterday"}),
        ("mineru.conversion.failed", {"unknown": 1}),
        ("mineru.conversion.requested", {"data": {}}),
    ],
)
def test_a_schema_refuses_what_is_never_written(name: str, change: dict[str, Any]) -> None:
    payload = MESSAGES[name]["examples"][0]["payload"]
    assert problems(MESSAGES[name]["payload"], payload | change) != []


def test_a_later_version_may_add_attributes_and_fields_to_events_alone() -> None:
    payload = MESSAGES["gate.reached"]["examples"][0]["payload"]
    later = payload | {"later": "x", "data": payload["data"] | {"later": 1}}
    assert problems(MESSAGES["gate.reached"]["payload"], later) == []
    message = MESSAGES["mineru.conversion.failed"]["examples"][0]["payload"] | {"later": "x"}
    with pytest.raises(ValidationError):
        read_message(json.dumps(message).encode())


def test_codes_in_examples_are_codes_of_errors() -> None:
    data = [example["payload"]["data"] for _, example in examples(list(MESSAGES))]
    codes = {value.get("error_code", "") for value in data} | {
        code for value in data for code in value.get("error_codes", {})
    }
    assert len(codes) > 3
    assert codes - {""} <= set(errors_by_code())
