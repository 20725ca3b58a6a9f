"""Gates as operators and runs meet them: looks, hands that open them, and what is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT, a_context, a_payload
from medkg.testing.ledger_suite.builders import GATE, MINERU, at_the_gate, convert, status_of
from orchestration.contracts import AskedConverter, GateSweep, ObjectStore, Obstacle, UnavailableConverter
from orchestration.contracts.host import HostStatus
from orchestration.errors import (
    DagsterPipelineConfigError,
    HostUnavailableError,
    StoreCorruptError,
    UsageError,
)
from orchestration.formats.yaml_source import parse_yaml
from orchestration.gates.gates import Gates
from orchestration.gates.sweeps import GateSweeps
from orchestration.ledger import SqlLedger
from orchestration.runs import gate_payloads
from orchestration.runs.artifacts import WindowBatch
from orchestration.runs.gate_payloads import GatePayloads
from orchestration.stores.objects.opening import open_objects
from orchestration.topology.graph import TopologyGraph, build_graph
from tests.orchestration.topology.topology_files import INSTALLED, PDF_LINE, POLICIES, a_topology
from tests.present import present

TopologyOf = Callable[[str, str], TopologyGraph]


class Seconds:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def gated(resume: str = "automatic", name: str = GATE.name) -> TopologyOf:
    """A folder of topologies with this one alone, whose gate is opened so."""
    gates = (
        f"gates:\n  - {{name: {name}, conditions: {{pdf_ir_ready: true}}, resume_stage: parse, "
        f"resume: {resume}, poll_interval_seconds: 10}}\n"
    )
    source = parse_yaml(
        a_topology(PDF_LINE, gates=gates).encode(), Path("auto.yaml"), DagsterPipelineConfigError
    )
    graph = build_graph(source, INSTALLED, POLICIES)
    return lambda name, version: graph


def gone(name: str, version: str) -> TopologyGraph:
    raise UsageError(f"there is no topology {name!r}")


@pytest.fixture
def payloads(tmp_path: Path) -> GatePayloads:
    return GatePayloads(open_objects((tmp_path / "objects").as_uri()))


# --- looks ------------------------------------------------------------------------------------------


def test_a_gate_is_looked_at_as_often_as_its_topology_asks(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1")
    clock = Seconds()
    sweeps = GateSweeps(ledger.gates, gated(), clock)
    assert sweeps.sweep() == {GATE: GateSweep(waiting=1)}
    clock.now = 9
    assert sweeps.sweep() == {}
    convert(ledger)
    clock.now = 10
    assert sweeps.sweep() == {GATE: GateSweep(opened=1)}


def test_a_gate_for_an_operator_is_not_opened_by_a_look(ledger: SqlLedger) -> None:
    job_id = at_the_gate(ledger, "1", done=True)
    sweeps = GateSweeps(ledger.gates, gated("manual"))
    assert sweeps.sweep() == {GATE: GateSweep(waiting=1)}
    assert not sweeps.moves_by_itself(job_id)
    assert GateSweeps(ledger.gates, gated()).moves_by_itself(job_id)


@pytest.mark.parametrize("topology_of", [gone, gated(name="renamed")])
def test_who_waits_at_a_gate_that_is_gone_waits_for_a_hand(
    topology_of: TopologyOf, ledger: SqlLedger
) -> None:
    at_the_gate(ledger, "1", done=True)
    assert GateSweeps(ledger.gates, topology_of).sweep() == {}
    gates = Gates(ledger.gates, topology_of)
    assert gates.lacking(gates.waiting(TENANT)[0]) is None
    assert gates.open(TENANT, ["1"]) == 1


# --- hands ------------------------------------------------------------------------------------------


def test_all_that_have_what_they_waited_for_pass_and_the_others_wait_on(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", "2")
    (first, _) = ledger.pdf_tasks.lease(MINERU, "converter", 5, lambda owner: True)
    ledger.pdf_tasks.mark_done(first)
    gates = Gates(ledger.gates, gated("manual"))
    assert [gates.lacking(entry) for entry in gates.waiting(TENANT)] == [[], ["pdf_ir_ready"]]
    assert gates.open(TENANT, None) == 1
    assert (status_of(ledger, "1"), status_of(ledger, "2")) == ("queued", "waiting")


def test_a_named_document_that_lacks_something_takes_force(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", "2")
    gates = Gates(ledger.gates, gated())
    with pytest.raises(UsageError, match=r"1 lacks pdf_ir_ready.*--force"):
        gates.open(TENANT, ["1"])
    assert gates.open(TENANT, ["1"], force=True) == 1
    assert gates.open(TENANT, None, force=True) == 1


def test_waiting_documents_are_filtered_by_the_stage_that_they_resume_at(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", done=True)
    gates = Gates(ledger.gates, gated())
    assert gates.waiting(TENANT, stage="chunk") == []
    assert [entry.key.doc_id for entry in gates.waiting(TENANT, stage="parse", limit=5)] == ["1"]
    assert gates.open(TENANT, None, "chunk") == 0
    assert gates.open(TENANT, None, "parse") == 1


def test_wrong_ids_and_no_ids_open_nothing(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", done=True)
    gates = Gates(ledger.gates, gated())
    with pytest.raises(UsageError, match="2: no such document waits"):
        gates.open(TENANT, ["1", "2"])
    with pytest.raises(UsageError, match="--all"):
        gates.open(TENANT, [])
    assert gates.open("other", None) == 0
    assert status_of(ledger, "1") == "waiting"


# --- obstacles --------------------------------------------------------------------------------------


def a_host(*unavailable: UnavailableConverter) -> HostStatus:
    return HostStatus(pid=7, kept=True, profile="cpu", plane="ready", unavailable_converters=unavailable)


def obstacle(
    ledger: SqlLedger, topology_of: TopologyOf, host: HostStatus | HostUnavailableError
) -> Obstacle | None:
    gates = Gates(ledger.gates, topology_of)
    return gates.obstacle(gates.waiting(TENANT)[0], host)


def test_a_document_whose_converter_is_unavailable_has_that_obstacle_and_others_have_none(
    ledger: SqlLedger,
) -> None:
    at_the_gate(ledger, "1")
    refused = Obstacle(code="MEDKG-404", message="no answer")
    mine = UnavailableConverter(requested=MINERU, obstacle=refused)
    other = UnavailableConverter(requested=AskedConverter(name="mineru", options="{1: 2}"), obstacle=refused)
    assert obstacle(ledger, gated(), a_host(other, mine)) == refused
    assert obstacle(ledger, gated(), a_host(other)) is None
    convert(ledger)
    assert obstacle(ledger, gated(), a_host(mine)) is None


def test_without_a_host_no_document_goes_on(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", done=True)
    none_runs = HostUnavailableError("No host runs.")
    assert obstacle(ledger, gated(), none_runs) == Obstacle(code=none_runs.code, message="No host runs.")
    assert obstacle(ledger, gated(), a_host()) is None


def test_a_gate_for_an_operator_and_one_that_is_gone_are_obstacles(ledger: SqlLedger) -> None:
    at_the_gate(ledger, "1", done=True)
    by_hand = obstacle(ledger, gated("manual"), a_host())
    assert by_hand is not None and "`medkg gate open`" in by_hand.message
    missing = obstacle(ledger, gone, a_host())
    assert missing == Obstacle(code=UsageError.code, message="there is no topology 'auto'")


# --- payloads -----------------------------------------------------------------------------------------


def a_batch(*ids: str, stored: str | None = None) -> WindowBatch:
    items = [
        (a_context(doc_id), [a_payload(doc_id, "text", doc_id=doc_id).model_copy(update={"stored": stored})])
        for doc_id in ids
    ]
    return WindowBatch("w1", "job-1", "payloads", tuple(items))


def test_what_was_held_is_resumed_as_it_was_and_in_order(payloads: GatePayloads) -> None:
    batch = a_batch("1", "2", "3")
    key = payloads.keep(batch)
    contexts = [a_context(doc_id) for doc_id in ("3", "1")]
    resumed, failures = payloads.take({ctx.key: key for ctx in contexts}, contexts)
    assert [(ctx.doc_id, value[0].content) for ctx, value in resumed] == [("3", b"3"), ("1", b"1")]
    assert failures == []


def test_a_payload_in_its_own_object_gets_its_bytes(payloads: GatePayloads, tmp_path: Path) -> None:
    objects: ObjectStore = open_objects((tmp_path / "objects").as_uri())
    objects.put("pdf-ir/one.json", b"converted")
    key = payloads.keep(a_batch("1", stored="pdf-ir/one.json"))
    ((_, (payload,)),), _ = payloads.take({a_context("1").key: key}, [a_context("1")])
    assert (payload.content, payload.stored) == (b"converted", None)


def test_what_is_gone_fails_its_document_by_name_and_no_other(payloads: GatePayloads, tmp_path: Path) -> None:
    objects = open_objects((tmp_path / "objects").as_uri())
    key = payloads.keep(a_batch("1", stored="pdf-ir/gone.json"))
    objects.put("gates/sound.parquet", present(objects.get(payloads.keep(a_batch("2")))).data)
    payloads.keep(a_batch("1", stored="pdf-ir/gone.json"))
    wanted = {
        a_context("1").key: key,
        a_context("2").key: "gates/sound.parquet",
        a_context("3").key: "gates/gone.parquet",
        a_context("4").key: "gates/sound.parquet",
    }
    contexts = [a_context(str(number)) for number in range(1, 6)]
    resumed, failures = payloads.take(wanted, contexts)
    assert [ctx.doc_id for ctx, _ in resumed] == ["2"]
    assert [(failure.ctx.doc_id, failure.code) for failure in failures] == [
        (number, StoreCorruptError.code) for number in "1345"
    ]
    assert all("`medkg dlq replay`" in failure.message for failure in failures)


def test_artifacts_are_removed_when_no_document_needs_them_and_no_writer_can_be_at_them(
    payloads: GatePayloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = payloads.keep(a_batch("1"))
    assert payloads.prune(set) == 0
    monkeypatch.setattr(gate_payloads, "SETTLED_SECONDS", -1)
    assert payloads.prune(lambda: {key}) == 0
    assert payloads.prune(set) == 1


def test_an_erased_document_leaves_its_artifact_and_no_other_does(
    payloads: GatePayloads, tmp_path: Path
) -> None:
    objects = open_objects((tmp_path / "objects").as_uri())
    key = payloads.keep(a_batch("1", "2"))
    objects.put("gates/mine.parquet", present(objects.get(payloads.keep(a_batch("1")))).data)
    objects.put("gates/damaged.parquet", b"PAR1 but not really")
    payloads.keep(a_batch("1", "2"))
    payloads.leave_out([a_context("1").key])
    assert [stored.key for stored in objects.list("gates")] == [key]
    contexts = [a_context("1"), a_context("2")]
    resumed, failures = payloads.take({ctx.key: key for ctx in contexts}, contexts)
    assert [ctx.doc_id for ctx, _ in resumed] == ["2"]
    assert [failure.ctx.doc_id for failure in failures] == ["1"]
