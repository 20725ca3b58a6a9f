"""Kinds of notices about other articles, by what they mean for the article that they are about.

Comes in: the kinds that a record states, in any order. Leaves: the one that the record counts as.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

__all__ = ["articles_by_kind", "weightiest"]

_BY_WEIGHT: Final = ("retraction", "expression-of-concern", "correction")


def weightiest(kinds: Collection[str]) -> str | None:
    """The kind that decides what a reader may still rely on: a retraction that also corrects retracts."""
    return next((kind for kind in _BY_WEIGHT if kind in kinds), None)


def articles_by_kind(
    notice: str | None, links: Sequence[tuple[str, str]]
) -> tuple[list[str], dict[str, list[str]]]:
    """The articles that a notice is about, and those that it is about in another way, by its kind.

    `links` are (kind of notice, article). Where none is of the kind of the notice itself, all are its
    subject.
    """
    by_kind: dict[str, list[str]] = {}
    for kind, article in links:
        if article and article not in by_kind.setdefault(kind, []):
            by_kind[kind].append(article)
    if notice in by_kind:
        return by_kind.pop(notice), by_kind
    return list(dict.fromkeys(article for _, article in links if article)), {}
