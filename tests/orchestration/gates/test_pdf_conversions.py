"""Conversions: what the ledger asks reaches the converter, and its result the documents, come what may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medkg.testing.builders import a_payload
from medkg.testing.ledger_suite.builders import OTHER, OWNER, a_job, an_item, claimed, everyone_alive, taken
from orchestration.contracts import AskedConverter, ObjectStore, PdfTask, PdfTaskState
from orchestration.errors import ConfigurationError
from orchestration.gates.pdf_conversions import CalledConverters, PdfConversions
from orchestration.ledger import SqlLedger
from orchestration.records import RawPayload, StageContext
from orchestration.stages.pdf_ir import PdfIr
from tests.orchestration.gates.pdf_converters import CommandedConverter

MOST_ATTEMPTS = 3
COMMANDED = AskedConverter(name="commanded")


@pytest.fixture
def converter() -> CommandedConverter:
    return CommandedConverter()


@pytest.fixture
def conversions(
    ledger: SqlLedger, objects: ObjectStore, converter: CommandedConverter
) -> Iterator[PdfConversions]:
    pdf_conversions = PdfConversions(
        ledger.pdf_tasks,
        CalledConverters(ledger.pdf_tasks, lambda: objects, lambda name: converter, OWNER, everyone_alive),
    )
    yield pdf_conversions
    pdf_conversions.close()
    assert converter.closed or not converter.submitted


def new_converter(name: AskedConverter) -> CommandedConverter:
    return CommandedConverter()


@pytest.fixture
def stage(ledger: SqlLedger, objects: ObjectStore) -> PdfIr:
    return PdfIr(ledger.pdf_tasks, objects, new_converter, "pdf_ir", "commanded", max_attempts=MOST_ATTEMPTS)


def asked(ledger: SqlLedger, stage: PdfIr, **pdfs: str) -> dict[str, list[RawPayload]]:
    """Documents whose PDFs have these contents, handed over by the stage; what it gave for each."""
    contexts = taken(ledger, claimed(ledger, a_job(ledger, *map(an_item, pdfs))))
    items = [(with_version(ctx), [a_payload(pdfs[ctx.doc_id], "pdf", doc_id=ctx.doc_id)]) for ctx in contexts]
    outcomes = stage.execute_batch(items)
    return {ctx.doc_id: outcome for (ctx, _), outcome in zip(items, outcomes, strict=True)}  # type: ignore[misc]


def with_version(ctx: StageContext) -> StageContext:
    return ctx.with_metadata(version="v1")


def unfinished(ledger: SqlLedger) -> dict[str, PdfTask]:
    tasks = ledger.pdf_tasks.lease(COMMANDED, OWNER, 100, everyone_alive)
    return {task.key.doc_id: task for task in tasks}


def test_what_is_asked_is_converted_and_kept(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, objects: ObjectStore
) -> None:
    (payload,) = asked(ledger, stage, one="a paper")["one"]
    assert (payload.format, payload.content) == ("pdf-ir", b"")
    assert payload.stored is not None and objects.get(payload.stored) is None
    conversions.sweep()
    conversions.sweep()
    assert objects.get(payload.stored) is not None
    assert unfinished(ledger) == {}


def test_the_same_pdf_is_not_converted_again(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, one="a paper")
    conversions.sweep()
    conversions.sweep()
    contexts = taken(ledger, claimed(ledger, a_job(ledger, an_item("two"), job_id="job-2")))
    stage.execute(with_version(contexts[0]), [a_payload("a paper", "pdf", doc_id="two")])
    conversions.sweep()
    assert converter.submitted == ["one"]
    assert unfinished(ledger) == {}


def test_a_converter_gets_no_more_than_it_takes(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    converter.slow = True
    asked(ledger, stage, a="1", b="2", c="3")
    conversions.sweep()
    conversions.sweep()
    assert converter.submitted == ["a", "b"]
    converter.slow = False
    conversions.sweep()
    conversions.sweep()
    assert converter.submitted == ["a", "b", "c"]


def test_an_unavailable_or_full_converter_costs_no_attempt(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, one="a paper")
    converter.away = True
    for _ in range(2 * MOST_ATTEMPTS):
        conversions.sweep()
    converter.away, converter.full = False, True
    conversions.sweep()
    assert unfinished(ledger)["one"].attempts == 0
    converter.full = False
    conversions.sweep()
    conversions.sweep()
    assert unfinished(ledger) == {}


def test_an_unavailable_converter_is_listed_until_it_is_back_or_has_no_task_left(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, one="a paper", two="another paper")
    converter.away = True
    conversions.sweep()
    (unavailable,) = conversions.unavailable()
    assert unavailable.requested == COMMANDED
    assert (unavailable.obstacle.code, unavailable.obstacle.message) == ("MEDKG-404", "no answer")
    converter.away = False
    conversions.sweep()
    assert conversions.unavailable() == []
    converter.away = True
    conversions.sweep()
    assert len(conversions.unavailable()) == 1
    for task in unfinished(ledger).values():
        ledger.pdf_tasks.mark_failed(task, "MEDKG-200", "no PDF", for_good=True)
    conversions.sweep()
    assert conversions.unavailable() == []


def test_a_converter_that_takes_no_task_is_listed_but_one_that_is_busy_with_others_of_them_is_not(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, one="a paper", two="another paper")
    converter.full = True
    conversions.sweep()
    (unavailable,) = conversions.unavailable()
    assert (unavailable.obstacle.code, unavailable.obstacle.message) == ("MEDKG-401", "no more for now")
    converter.full, converter.slow, converter.room = False, True, 1
    conversions.sweep()
    assert (converter.submitted, conversions.unavailable()) == (["one"], [])
    conversions.sweep()
    assert conversions.unavailable() == []


def test_tasks_that_a_restarted_converter_forgot_are_handed_over_again(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    converter.slow = True
    asked(ledger, stage, one="a paper")
    conversions.sweep()
    converter.restart()
    converter.slow = False
    for _ in range(3):
        conversions.sweep()
    assert converter.submitted == ["one", "one"]
    assert unfinished(ledger) == {}


@pytest.mark.parametrize("content", ["broken", "odd"])
def test_a_conversion_that_fails_is_tried_so_often_and_no_more(
    content: str, ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, one=content)
    for _ in range(3 * MOST_ATTEMPTS):
        conversions.sweep()
    assert len(converter.submitted) == MOST_ATTEMPTS
    assert converter.tasks == {}
    assert unfinished(ledger) == {}


def test_a_pdf_that_is_refused_is_not_tried_again_and_keeps_no_other_waiting(
    ledger: SqlLedger, stage: PdfIr, conversions: PdfConversions, converter: CommandedConverter
) -> None:
    asked(ledger, stage, bad="encrypted", good="a paper")
    for _ in range(3):
        conversions.sweep()
    assert converter.submitted == ["good"]
    assert unfinished(ledger) == {}


def test_what_a_killed_host_had_handed_over_is_taken_up(
    ledger: SqlLedger, stage: PdfIr, objects: ObjectStore, converter: CommandedConverter
) -> None:
    converter.slow = True
    asked(ledger, stage, one="a paper")
    PdfConversions(
        ledger.pdf_tasks,
        CalledConverters(ledger.pdf_tasks, lambda: objects, lambda name: converter, OTHER, everyone_alive),
    ).sweep()
    assert unfinished(ledger) == {}
    converter.slow = False
    successor = PdfConversions(
        ledger.pdf_tasks,
        CalledConverters(
            ledger.pdf_tasks, lambda: objects, lambda name: converter, OWNER, lambda owner: owner != OTHER
        ),
    )
    successor.sweep()
    assert converter.submitted == ["one"]
    assert ledger.pdf_tasks.converters() == []


def test_a_converter_that_cannot_be_made_keeps_no_other_from_its_work(
    ledger: SqlLedger, stage: PdfIr, objects: ObjectStore, converter: CommandedConverter
) -> None:
    def make(wanted: AskedConverter) -> CommandedConverter:
        if wanted.name != "commanded":
            raise ConfigurationError(f"{wanted.name} is not installed")
        return converter

    asked(ledger, stage, one="a paper")
    elsewhere = PdfIr(ledger.pdf_tasks, objects, new_converter, "pdf_ir", "absent")
    contexts = taken(ledger, claimed(ledger, a_job(ledger, an_item("two"), job_id="job-2")))
    elsewhere.execute(with_version(contexts[0]), [a_payload("x", "pdf", doc_id="two")])
    conversions = PdfConversions(
        ledger.pdf_tasks, CalledConverters(ledger.pdf_tasks, lambda: objects, make, OWNER, everyone_alive)
    )
    conversions.sweep()
    conversions.sweep()
    assert [wanted.name for wanted in ledger.pdf_tasks.converters()] == ["absent"]
    assert unfinished(ledger) == {}


def test_a_stage_whose_converter_cannot_be_made_is_none(ledger: SqlLedger, objects: ObjectStore) -> None:
    def make(wanted: AskedConverter) -> CommandedConverter:
        raise ConfigurationError(f"{wanted.name} has no option {wanted.options}")

    with pytest.raises(ConfigurationError, match="has no option"):
        PdfIr(ledger.pdf_tasks, objects, make, "pdf_ir", "commanded", {"size": 1})


def test_what_another_choice_of_options_made_is_not_taken(
    ledger: SqlLedger, stage: PdfIr, objects: ObjectStore, conversions: PdfConversions
) -> None:
    (first,) = asked(ledger, stage, one="a paper")["one"]
    conversions.sweep()
    conversions.sweep()
    german = PdfIr(ledger.pdf_tasks, objects, new_converter, "pdf_ir", "commanded", {"language": "de"})
    (ctx,) = taken(ledger, claimed(ledger, a_job(ledger, an_item("two"), job_id="job-2")))
    (second,) = german.execute(with_version(ctx), [a_payload("a paper", "pdf", doc_id="two")])
    assert second.stored != first.stored
    assert [wanted.options for wanted in ledger.pdf_tasks.converters()] == ['{"language": "de"}']


def test_a_pdf_that_is_gone_fails_by_name(
    ledger: SqlLedger, stage: PdfIr, objects: ObjectStore, conversions: PdfConversions
) -> None:
    asked(ledger, stage, one="a paper")
    assert unfinished(ledger)["one"].state is PdfTaskState.QUEUED
    objects.delete_all("pdfs")
    conversions.sweep()
    assert unfinished(ledger) == {}
