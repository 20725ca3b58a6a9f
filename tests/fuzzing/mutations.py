"""Mutations of small valid files, as a Hypothesis strategy: what fuzzing feeds to parsers.

Comes in: a kind (json, xml, text, pdf) and seeds. Leaves: seeds with values, keys, elements and attributes
changed, bytes cut, doubled and replaced, and tokens put in that readers trip over.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from lxml import etree

__all__ = ["mutated"]

TOKENS: Final = {
    "json": [
        b"null",
        b"[]",
        b"{}",
        b'""',
        b"1e999",
        b"-0",
        b"\\ud800",
        b"[" * 200,
        b'{"a":' * 200,
        b",",
        b"NaN",
        b"\xff",
        b"\x00",
    ],
    "xml": [
        b"<![CDATA[",
        b"]]>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b"&x;",
        b"&#0;",
        b"<a>" * 300,
        b"</p>",
        b"<!--",
        b"<?",
        b"\xef\xbf\xbe",
        b"\x00",
    ],
    "text": [
        b"---\n",
        b"| a | b |\n|---|",
        b"> " * 200,
        b"- " * 200,
        b"[" * 300,
        b"\r\n",
        b"\xe2\x80\xae",
        b"\x00",
        b"\xff\xfe",
        b"```",
        b"<!--",
    ],
    "pdf": [
        b"<<",
        b">>",
        b"endobj",
        b"endstream",
        b"/Kids [3 0 R 3 0 R]",
        b"/Count 99999999",
        b"/Length 0",
        b"99999999999",
        b"-1",
        b"BT",
        b"ET",
        b"Tj",
        b"q " * 300,
        b"[(a)-9999999(b)] TJ",
        b"/F1 0 Tf",
        b"1e30 0 0 1e30 0 0 cm",
        b"0 0 0 0 0 0 cm",
        b"/MediaBox [0 0 1e9 1e9]",
        b"/MediaBox [0 0 0 0]",
        b"/Rotate 45",
        b"/Filter [/FlateDecode /FlateDecode]",
        b"5 0 R",
        b"nan",
        b"(\\777\\000)",
        b"\x00",
    ],
}

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**400)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["\x00", "\ud800", "a" * 100_000, "\u202e", "2020-13-45", "<b>", "|"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, kind: str, seeds: Sequence[bytes]) -> bytes:
    """A mutated seed: its structure first, where its kind has one, then its bytes."""
    content = draw(st.sampled_from(list(seeds)))
    if kind in STRUCTURED and draw(st.integers(0, 2)):
        content = STRUCTURED[kind](draw, content)
        if draw(st.integers(0, 3)):
            return content
    for _ in range(draw(st.integers(1, 6))):
        content = _mutated_bytes(draw, content, TOKENS[kind])
    return content


def _mutated_bytes(draw: st.DrawFn, content: bytes, tokens: Sequence[bytes]) -> bytes:
    start = draw(st.integers(0, len(content)))
    end = min(len(content), start + draw(st.sampled_from([0, 0, 1, 2, 5, 20, 200])))
    new = draw(st.sampled_from(tokens) | st.binary(max_size=8) | st.just(content[start:end] * 2))
    if draw(st.integers(0, 30)) == 0:
        return content[:start]
    return content[:start] + new + content[end:]


def _mutated_json(draw: st.DrawFn, content: bytes) -> bytes:
    """Values replaced, removed or doubled at places drawn at random; JSON Lines by its lines."""
    try:
        records = [json.loads(content)]
    except ValueError:
        records = [json.loads(line) for line in content.splitlines() if line.strip()]
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(records))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        action = draw(st.sampled_from([*["alike"] * 6, "replace", "remove", "nest", "double"]))
        if action == "alike":
            holder[key] = draw(_alike(holder[key]))
        elif action == "replace":
            holder[key] = draw(_VALUES)
        elif action == "nest":
            holder[key] = [[holder[key]]] if draw(st.booleans()) else {"x": holder[key]}
        elif isinstance(holder, list) and action == "double" and len(holder) < 200:
            holder.insert(key, copy.deepcopy(holder[key]))
        elif len(records) > 1 or holder is not records:
            del holder[key]
    return b"\n".join(json.dumps(record).encode("utf-8", "surrogatepass") for record in records)


def _alike(value: Any) -> st.SearchStrategy[Any]:
    """Another value of the same type."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return st.integers(-5, 5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    if isinstance(value, str):
        tokens = [
            "References",
            "Table 1. x",
            "[1] A. 10.1000/x",
            "- a",
            "\n\n",
            "",
            " ",
            "heading",
            "table",
            "x" * 50_000,
        ]
        return st.text(max_size=60) | st.sampled_from(tokens) | st.just(value + value)
    if isinstance(value, list):
        return st.just([*value, *value][:300]) | st.just(value[::-1]) | st.just([])
    return st.just(value)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(Holder, key or index) of everything in a JSON value."""
    keys: Sequence[Any] = (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _mutated_xml(draw: st.DrawFn, content: bytes) -> bytes:
    """Elements removed, doubled, renamed or wrapped, texts and attributes replaced."""
    root = etree.fromstring(content)
    for _ in range(draw(st.integers(1, 4))):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        element = elements[draw(st.integers(0, len(elements) - 1))]
        parent = element.getparent()
        action = draw(st.sampled_from(["text", "rename", "attribute", "remove", "double", "wrap"]))
        if action == "text":
            element.text = draw(
                st.text(st.characters(min_codepoint=32, blacklist_categories=("Cs", "Co", "Cn")), max_size=40)
            )
        elif action == "rename":
            element.tag = draw(
                st.sampled_from([other.tag for other in elements] + ["x", "table", "sec", "xref"])
            )
        elif action == "attribute":
            element.set(
                draw(st.sampled_from(["colspan", "rowspan", "id", "sec-type", "ref-type"])),
                draw(st.sampled_from(["", "0", "-1", "99999", "x", "1e9"])),
            )
        elif parent is None:
            continue
        elif action == "remove":
            parent.remove(element)
        elif action == "double" and len(elements) < 300:
            parent.append(copy.deepcopy(element))
        else:
            for _ in range(draw(st.sampled_from([1, 5, 150]))):
                element = _wrapped(element)
    return etree.tostring(root)


def _wrapped(element: Any) -> Any:
    parent = element.getparent()
    if parent is None:
        return element
    wrapper = etree.Element(element.tag)
    parent.replace(element, wrapper)
    wrapper.append(element)
    return wrapper


STRUCTURED: Final = {"json": _mutated_json, "xml": _mutated_xml}
