"""What a user's --query means to a service: plain words, or the service's own parameters.

Comes in: a SourceRequest, and which parameters the service lets a user set. Leaves: parameters by name, or
UsageError with what would be valid.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

from orchestration.contracts import SourceRequest
from orchestration.errors import UsageError

__all__ = ["asked_query", "parameters_of"]


def asked_query(request: SourceRequest, example: str) -> str:
    """The query; raises UsageError without one, or with paths."""
    if request.paths:
        raise UsageError(f"--source {request.source} takes no --path; name what you look for with --query.")
    if request.query is None:
        raise UsageError(f"--source {request.source} needs --query, e.g. {example}.")
    return request.query


def parameters_of(query: str, words: str, valid: Collection[str]) -> dict[str, str]:
    """`words=...` for plain words; what is written as NAME=VALUE&... by name; nothing for an empty query.

    Raises UsageError for a parameter that is not `valid`.
    """
    name, given, _ = query.partition("=")
    kinds = {known.partition(".")[0] for known in valid}
    if not given or name.partition(".")[0] not in kinds:
        return {words: query} if query.strip() else {}
    asked = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(asked.keys() - set(valid))
    if unknown:
        raise UsageError(f"--query: {', '.join(unknown)} is none of {', '.join(sorted(valid))}.")
    return asked
