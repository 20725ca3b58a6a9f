"""Reads an answer of the model: mentions and claims by name, or the reason why there are none.

Input: the text of an answer, which may be anything. Output: what it holds of the agreed form, each part
checked alone, and how much was malformed. A part that repeats another one is kept once.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.extraction.llm.grammar import MOST_CLAIMS, MOST_MENTIONS, NAME_CHARACTERS

__all__ = ["Answer", "NamedClaim", "NamedMention", "UnreadableAnswerError", "read_answer"]

MOST_OBJECTS: Final = 50
"""Places at which an object is looked for: bounds the time that an answer full of braces takes."""

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
Part = TypeVar("Part", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class NamedMention(_Part):
    """A name and its kind."""

    name: Name
    kind: Name


class NamedClaim(_Part):
    """A claim between two names, with the numbers of its sentences from 1."""

    subject: Name
    predicate: Name
    object: Name
    negated: bool = False
    direction: Literal["increased", "decreased", "unchanged"] | None = None
    sentences: tuple[int, ...] = Field(min_length=1, max_length=3, strict=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer holds."""

    mentions: list[NamedMention]
    claims: list[NamedClaim]
    dropped: Counter[str] = field(default_factory=Counter)
    """Parts that are not of the agreed form, by reason."""


class UnreadableAnswerError(ValueError):
    """The answer is no JSON object of the agreed form: a refusal, prose, or cut off."""


def read_answer(content: str) -> Answer:
    """The first JSON object of the agreed form; raises UnreadableAnswerError where there is none.

    Text around it (a fence, an explanation, a model's thoughts) is ignored.
    """
    problems: list[str] = []
    start = content.find("{")
    while start >= 0 and len(problems) < MOST_OBJECTS:
        end = start + 1
        try:
            value, end = json.JSONDecoder().raw_decode(content, start)
            return _answer(value)
        except UnreadableAnswerError as error:
            problems.append(str(error))
        except (ValueError, RecursionError) as error:
            problems.append(f"the model's JSON cannot be read ({error}): {_shown(content[start:])}")
        start = content.find("{", end)
    raise UnreadableAnswerError(
        problems[0] if problems else f"the model answered without JSON: {_shown(content)}"
    )


def _answer(value: dict[str, Any]) -> Answer:
    dropped: Counter[str] = Counter()
    mentions = _parts(value, "mentions", NamedMention, MOST_MENTIONS, dropped)
    claims = _parts(value, "claims", NamedClaim, MOST_CLAIMS, dropped)
    return Answer(mentions, claims, dropped)


def _parts(
    value: dict[str, Any], name: str, kind: type[Part], most: int, dropped: Counter[str]
) -> list[Part]:
    items = value.get(name)
    if not isinstance(items, list):
        raise UnreadableAnswerError(f"the model's answer has no list `{name}`: {_shown(json.dumps(value))}")
    parts: dict[Part, None] = {}
    for item in items:
        try:
            part = kind.model_validate(item)
        except ValidationError:
            dropped["answer malformed"] += 1
            continue
        if part in parts:
            dropped["answer repeated"] += 1
        elif len(parts) == most:
            dropped["answer too long"] += 1
        else:
            parts[part] = None
    return list(parts)


def _shown(content: str) -> str:
    return repr(content[:120])
