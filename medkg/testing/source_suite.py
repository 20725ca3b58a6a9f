"""What every source promises, as tests. Subclass and give the fixtures `source` and `request_for_all`."""

from __future__ import annotations

import pytest

from orchestration.contracts import Source, SourceRequest
from orchestration.errors import MedkgError, UsageError
from orchestration.records import AdapterRequest, RawPayload, SourceItem

TENANT = "default"


class SourceSuite:
    """Subclass with a source, a request that gives at least two good items, and one it must refuse."""

    @pytest.fixture
    def source(self) -> Source:
        raise NotImplementedError("give the source under test")

    @pytest.fixture
    def request_for_all(self) -> SourceRequest:
        raise NotImplementedError("give a request for at least two documents")

    @pytest.fixture
    def wrong_request(self) -> SourceRequest:
        raise NotImplementedError("give a request that the source must refuse")

    def test_has_a_name(self, source: Source) -> None:
        assert source.name

    def test_enumerates_in_a_stable_order(self, source: Source, request_for_all: SourceRequest) -> None:
        items = list(source.enumerate(request_for_all))
        assert len([item for item in items if item.error_code is None]) >= 2
        assert items == list(source.enumerate(request_for_all))

    def test_obeys_the_limit(self, source: Source, request_for_all: SourceRequest) -> None:
        limited = request_for_all.model_copy(update={"limit": 1})
        assert list(source.enumerate(limited)) == list(source.enumerate(request_for_all))[:1]

    def test_a_broken_item_says_code_and_message(
        self, source: Source, request_for_all: SourceRequest
    ) -> None:
        for item in source.enumerate(request_for_all):
            assert (item.error_code is None) == (item.error_message is None)
            assert item.doc_id and item.source

    def test_fetches_what_it_enumerated_with_the_same_version(
        self, source: Source, request_for_all: SourceRequest
    ) -> None:
        items = good_items(source, request_for_all)
        for item, outcome in zip(items, source.fetch([request_of(item) for item in items]), strict=True):
            assert isinstance(outcome, RawPayload), outcome
            assert (outcome.doc_id, outcome.source) == (item.doc_id, item.source)
            assert item.version in (None, outcome.version)
            assert outcome.content

    def test_fetches_in_the_order_asked(self, source: Source, request_for_all: SourceRequest) -> None:
        items = list(reversed(good_items(source, request_for_all)))
        outcomes = source.fetch([request_of(item) for item in items])
        assert [getattr(outcome, "doc_id", None) for outcome in outcomes] == [item.doc_id for item in items]

    def test_one_missing_record_fails_alone(self, source: Source, request_for_all: SourceRequest) -> None:
        item, *_ = good_items(source, request_for_all)
        gone = request_of(item).model_copy(update={"doc_id": "no-such-document"})
        good, bad = source.fetch([request_of(item), gone])
        assert isinstance(good, RawPayload)
        assert isinstance(bad, MedkgError)

    def test_a_wrong_request_is_refused(self, source: Source, wrong_request: SourceRequest) -> None:
        with pytest.raises(UsageError):
            list(source.enumerate(wrong_request))


def good_items(source: Source, request: SourceRequest) -> list[SourceItem]:
    return [item for item in source.enumerate(request) if item.error_code is None]


def request_of(item: SourceItem) -> AdapterRequest:
    return AdapterRequest(tenant_id=TENANT, plugin="any", doc_id=item.doc_id, locator=item.locator)
