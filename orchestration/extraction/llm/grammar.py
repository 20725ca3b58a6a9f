"""What an answer of the model may be: a grammar whose names are substrings of the window, or a JSON Schema.

Input: a window and the graph schema. Output: constraints of structured output. With the grammar every name is
verbatim in the window by construction; with the schema names are checked when the answer is read. The grammar
is Lark as llguidance reads it (vLLM's backend `guidance`); `substring_words` matches any run of words.
Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["MOST_CLAIMS", "MOST_MENTIONS", "Vocabulary", "answer_grammar", "answer_schema"]

MOST_MENTIONS: Final = 60
MOST_CLAIMS: Final = 30
MOST_SENTENCES: Final = 3
"""Of one answer: a model that repeats itself ends."""

DIRECTIONS: Final = ("increased", "decreased", "unchanged")
NAME_CHARACTERS: Final = 200
_NOT_IN_JSON: Final = re.compile(r'["\\\x00-\x1f\x7f\ud800-\udfff]')
"""Characters that a JSON string would escape: names do not cross them."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of kinds and predicates that a model may use, in the order of the schema."""

    kinds: Sequence[str]
    predicates: Sequence[str]


def answer_grammar(text: str, sentences: int, vocabulary: Vocabulary) -> str:
    """Lark grammar of the answers to a window of `sentences` sentences."""
    words = json.dumps(_NOT_IN_JSON.sub(" ", text), ensure_ascii=False)
    numbers = [str(number) for number in range(1, sentences + 1)]
    claims = ["claims:"]
    if vocabulary.predicates:
        claims = [
            f"claims: {_list('claim', 0, MOST_CLAIMS)}",
            f"claim: {_members('subject predicate object negated direction sentences')}",
            f"predicate: {_choice(map(_quoted, vocabulary.predicates))}",
            "subject: quoted_name",
            "object: quoted_name",
            f"negated: {_choice(['true', 'false'])}",
            f"direction: {_choice(['null', *map(_quoted, DIRECTIONS)])}",
            f'sentences: "[" {_list("sentence", 1, MOST_SENTENCES)} "]"',
            f"sentence: {_choice(numbers)}",
        ]
    return "\n".join(
        [
            r'start: "{\"mentions\":[" mentions "],\"claims\":[" claims "]}"',
            f"mentions: {_list('mention', 0, MOST_MENTIONS)}",
            f"mention: {_members('name kind')}",
            "name: quoted_name",
            f"kind: {_choice(map(_quoted, vocabulary.kinds))}",
            *claims,
            r'quoted_name: "\"" words "\""',
            'words: %regex {"substring_words": ' + words + "}",
        ]
    )


def answer_schema(sentences: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """JSON Schema of the same answers, for servers without grammars."""
    name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}
    mention = _object(name=name, kind={"enum": list(vocabulary.kinds)})
    claim = _object(
        subject=name,
        predicate={"enum": list(vocabulary.predicates)},
        object=name,
        negated={"type": "boolean"},
        direction={"enum": [None, *DIRECTIONS]},
        sentences={
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": sentences},
            "minItems": 1,
            "maxItems": MOST_SENTENCES,
        },
    )
    most_claims = MOST_CLAIMS if vocabulary.predicates else 0
    return _object(
        mentions={"type": "array", "items": mention, "maxItems": MOST_MENTIONS},
        claims={"type": "array", "items": claim, "maxItems": most_claims},
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _members(names: str) -> str:
    """A JSON object of these members, each by the rule of its name."""
    members = [f'{_escaped(_quoted(name))}:" {name}' for name in names.split()]
    return '"{' + ' ",'.join(members) + ' "}"'


def _list(rule: str, fewest: int, most: int) -> str:
    """Between `fewest` (0 or 1) and `most` times a rule, with commas."""
    some = f'{rule} ("," {rule}){{0,{most - 1}}}'
    return some if fewest else f"({some})?"


def _choice(literals: Iterable[str]) -> str:
    return " | ".join(f'"{_escaped(literal)}"' for literal in literals)


def _quoted(name: str) -> str:
    """A JSON string; names of the graph schema hold letters, digits and _ only."""
    return f'"{name}"'


def _escaped(text: str) -> str:
    return text.replace('"', r"\"")
