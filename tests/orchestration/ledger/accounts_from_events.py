"""After each scenario of the conformance suite: a consumer of the events alone has the ledger's accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from ops.examples.job_accounts import Accounts
from orchestration.contracts.facts import DocumentErased, Fact, JobOpened
from orchestration.errors import UsageError
from orchestration.events.factory import CloudEventFactory
from orchestration.ledger import SqlLedger

FACTS_AT_ONCE: Final = 500


class AccountsFromEvents:
    """Mixed into a class that runs the suite over its fixture `ledger`.

    Jobs that were copied in without their facts, or pruned, are left out, and scenarios that erase documents.
    """

    @pytest.fixture(autouse=True)
    def _a_consumer_has_the_accounts(self, ledger: SqlLedger) -> Iterator[None]:
        yield
        facts = all_facts(ledger)
        if any(isinstance(fact.body, DocumentErased) for fact in facts):
            return
        factory, accounts = CloudEventFactory(), Accounts()
        for event in (event for fact in facts for event in factory.events(fact)):
            accounts.take(event.as_json())
        by_job = accounts.by_job()
        for fact in facts:
            if isinstance(fact.body, JobOpened):
                try:
                    account = ledger.jobs.account(fact.job_id).documents.model_dump()
                except UsageError:  # pruned
                    continue
                assert by_job[fact.job_id] == {part: account[part] for part in by_job[fact.job_id]}


def all_facts(ledger: SqlLedger) -> list[Fact]:
    """What the outbox holds."""
    facts: list[Fact] = []
    while more := ledger.outbox.read(facts[-1].position if facts else 0, FACTS_AT_ONCE):
        facts += more
    return facts
