"""Haystack's filters: validated as a whole, and matched by Haystack's own rules.

Comes in: a filter in Haystack's syntax. Leaves: whether a document matches, which documents can match at all,
and the equivalent filter on facets, if there is one.
Source: https://docs.haystack.deepset.ai/docs/metadata-filtering
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import COMPARISON_OPERATORS, LOGICAL_OPERATORS, document_matches_filter
from pydantic import ValidationError

from orchestration.contracts import DATE, TERM_FACETS, Filters, is_day
from orchestration.haystack.documents import SOURCE, possible_keys
from orchestration.records import DocumentKey

__all__ = ["as_facets", "check", "may_match", "predicate"]

Condition = dict[str, Any]

DATES: Final = {">=": "since", "<=": "until"}
ORDERED: Final = (">", ">=", "<", "<=")
NOT_KEPT: Final = ("blob", "score", "embedding", "sparse_embedding")
"""Fields of Haystack's documents that documents from a store lack."""


def check(filters: Condition | None) -> None:
    """Raise FilterError unless the whole filter is valid; Haystack checks only what it evaluates."""
    if not filters:
        return
    if "field" in filters:
        _check_comparison(filters)
        return
    operator, conditions = filters.get("operator"), filters.get("conditions")
    if operator not in LOGICAL_OPERATORS or not isinstance(conditions, list):
        raise FilterError(
            f"filter {filters!r} is neither a comparison (field, operator, value) nor "
            f"{', '.join(LOGICAL_OPERATORS)} of a list of conditions."
        )
    for condition in conditions:
        if not isinstance(condition, dict) or not condition:
            raise FilterError(f"condition {condition!r} of {filters!r} is not a filter.")
        check(condition)


def _check_comparison(condition: Condition) -> None:
    operator, field = condition.get("operator"), str(condition["field"])
    if operator not in COMPARISON_OPERATORS or "value" not in condition:
        raise FilterError(
            f"filter {condition!r} needs a value and one of the operators {', '.join(COMPARISON_OPERATORS)}."
        )
    if operator in ("in", "not in") and not isinstance(condition["value"], list):
        raise FilterError(f"filter {condition!r}: `{operator}` takes a list.")
    if field.partition(".")[0] in NOT_KEPT:
        raise FilterError(f"filter {condition!r}: documents are read without {field}, so none can match.")
    _check_day(condition)


def _check_day(condition: Condition) -> None:
    """Raise FilterError for a day, month or year that no calendar has; other texts are left to Haystack."""
    value = condition["value"]
    ordered = condition["operator"] in ORDERED and isinstance(value, str)
    if ordered and DATE.fullmatch(value) and not is_day(value):
        raise FilterError(
            f"filter {condition!r}: {value!r} is not a date; write YYYY, YYYY-MM or YYYY-MM-DD, e.g. 2019-05."
        )


def predicate(filters: Condition | None) -> Callable[[Document], bool]:
    """Whether a document matches by Haystack's rules; raises FilterError for an invalid filter."""
    check(filters)
    return lambda document: not filters or document_matches_filter(filters, document)


def may_match(filters: Condition | None, tenant_id: str) -> Callable[[DocumentKey], bool]:
    """Whether a document of the ledger may contain a match; false only if it cannot.

    Evaluates conditions on id, meta.source and meta.doc_id, alone or joined by AND. Documents of source
    haystack keep the `meta` they came with, which the key does not determine.
    """
    tests = [test for condition in _joined(filters) if (test := _of_key(condition, tenant_id)) is not None]
    return lambda key: all(test(key) for test in tests)


def _joined(filters: Condition | None) -> list[Condition]:
    """Conditions that must all match."""
    if not filters:
        return []
    if filters.get("operator") != "AND":
        return [filters]
    return [inner for condition in filters["conditions"] for inner in _joined(condition)]


def _of_key(condition: Condition, tenant_id: str) -> Callable[[DocumentKey], bool] | None:
    """The test of a key that a condition implies; None if it implies none."""
    field, operator, value = condition.get("field"), condition.get("operator"), condition.get("value")
    if field in ("meta.source", "meta.doc_id") and operator in ("==", "!=", "in", "not in"):
        return lambda key: (
            key.source == SOURCE
            or document_matches_filter(
                condition, Document(content="", meta={"source": key.source, "doc_id": key.doc_id})
            )
        )
    if field == "id" and operator in ("==", "in"):
        wanted = value if isinstance(value, list) else [value]
        keys = {key for each in wanted if isinstance(each, str) for key in possible_keys(tenant_id, each)}
        return lambda key: (
            key in keys
            or (key.source == SOURCE and document_matches_filter(condition, Document(id=key.doc_id)))
        )
    return None


def as_facets(filters: Condition | None) -> Filters | None:
    """The equivalent filter on facets; None if a condition is about something else.

    `==` with a text and `in` with a list of texts on source, section, phase, status, condition and mesh, `>=`
    and `<=` with a day on date, joined by AND. Facets are compared folded, as `medkg search` does.
    """
    wanted: dict[str, Any] = {}
    for condition in _joined(filters):
        field = _facet(condition)
        if field is None or wanted.setdefault(field, condition["value"]) != condition["value"]:
            return None
    try:
        return Filters(**wanted)
    except ValidationError:
        return None


def _facet(condition: Condition) -> str | None:
    """The field of Filters that a condition corresponds to; None if there is none."""
    field, operator = str(condition.get("field", "")).removeprefix("meta."), condition.get("operator")
    value = condition.get("value")
    if field in TERM_FACETS:
        texts = value if isinstance(value, list) else [value]
        fits = bool(texts) and all(isinstance(text, str) for text in texts)
        return field if fits and operator == ("in" if isinstance(value, list) else "==") else None
    if field == "date" and isinstance(value, str) and operator in DATES:
        return DATES[str(operator)]
    return None
