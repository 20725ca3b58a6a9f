"""Reads a user's --query: plain words, or the service's own parameters.

Comes in: a SourceRequest, and the parameters that a user may set. Leaves: parameters by name, or a UsageError
with the valid ones.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

from orchestration.contracts import SourceRequest
from orchestration.errors import UsageError

__all__ = ["parameters_of", "required_query"]


def required_query(request: SourceRequest, example: str) -> str:
    """The query of the request; raises UsageError for a request without one or with paths."""
    if request.paths:
        raise UsageError(f"--source {request.plugin} takes no --path; pass the search as --query.")
    if request.query is None:
        raise UsageError(f"--source {request.plugin} needs --query, e.g. {example}.")
    return request.query


def parameters_of(query: str, words: str, valid: Collection[str]) -> dict[str, str]:
    """The parameter `words` for plain words, or the parameters of NAME=VALUE&...; none for an empty query.

    Raises UsageError for a parameter that is not in `valid`.
    """
    name, equals, _ = query.partition("=")
    kinds = {known.partition(".")[0] for known in valid}
    if not equals or name.partition(".")[0] not in kinds:
        return {words: query} if query.strip() else {}
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(parameters.keys() - set(valid))
    if unknown:
        raise UsageError(
            f"--query: unknown parameter {', '.join(unknown)}; valid: {', '.join(sorted(valid))}."
        )
    return parameters
