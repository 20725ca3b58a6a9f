"""Haystack's filters: checked as a whole, matched by Haystack's own rules; what of them narrows a reading.

Comes in: a filter as Haystack writes it. Leaves: whether a document matches, which documents can match at
all, and, where every condition is one, the facets that an index is asked for.
Source: https://docs.haystack.deepset.ai/docs/metadata-filtering
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import COMPARISON_OPERATORS, LOGICAL_OPERATORS, document_matches_filter
from pydantic import ValidationError

from orchestration.contracts import TERM_FACETS, Filters
from orchestration.haystack.documents import SOURCE, possible_keys
from orchestration.records import DocumentKey

__all__ = ["as_facets", "check", "may_match", "predicate"]

Condition = dict[str, Any]

DATES: Final = {">=": "since", "<=": "until"}
NOT_KEPT: Final = ("blob", "score", "embedding", "sparse_embedding")
"""Fields of Haystack's documents that those read from a store do not have."""


def check(filters: Condition | None) -> None:
    """Raise FilterError unless the whole of a filter is one: Haystack looks at what it comes to alone."""
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
            raise FilterError(f"condition {condition!r} of {filters!r} is no filter.")
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


def predicate(filters: Condition | None) -> Callable[[Document], bool]:
    """Whether a document matches, by Haystack's rules; raises FilterError for what is no filter."""
    check(filters)
    return lambda document: not filters or document_matches_filter(filters, document)


def may_match(filters: Condition | None, tenant_id: str) -> Callable[[DocumentKey], bool]:
    """Whether a document of the ledger may hold a match; says no only if it cannot.

    Narrowed by conditions on id, meta.source and meta.doc_id, alone or joined by AND. Documents of source
    haystack have a `meta` of their own, about which the key says nothing.
    """
    tests = [test for one in _joined(filters) if (test := _of_key(one, tenant_id)) is not None]
    return lambda key: all(test(key) for test in tests)


def _joined(filters: Condition | None) -> list[Condition]:
    """Conditions that must all hold."""
    if not filters:
        return []
    if filters.get("operator") != "AND":
        return [filters]
    return [inner for condition in filters["conditions"] for inner in _joined(condition)]


def _of_key(condition: Condition, tenant_id: str) -> Callable[[DocumentKey], bool] | None:
    """What a condition asks of a key; None if nothing."""
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
        keys = {key for one in wanted if isinstance(one, str) for key in possible_keys(tenant_id, one)}
        return lambda key: (
            key in keys
            or (key.source == SOURCE and document_matches_filter(condition, Document(id=key.doc_id)))
        )
    return None


def as_facets(filters: Condition | None) -> Filters | None:
    """The facets that say the same; None if a condition is about something else.

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
    """The field of Filters that a condition is about."""
    field, operator = str(condition.get("field", "")).removeprefix("meta."), condition.get("operator")
    value = condition.get("value")
    if field in TERM_FACETS:
        texts = value if isinstance(value, list) else [value]
        fits = bool(texts) and all(isinstance(text, str) for text in texts)
        return field if fits and operator == ("in" if isinstance(value, list) else "==") else None
    if field == "date" and isinstance(value, str) and operator in DATES:
        return DATES[str(operator)]
    return None
