"""A chat server of tests: scripted answers behind an HTTP route, and documents to ask about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from orchestration.extraction.llm.server import PROBE_ANSWER
from orchestration.records import Block, BlockKind, Document, Section

URL = "http://llm.example:8000/v1"
ROUTE = f"{URL}/chat/completions"
Scripted = Callable[[str], httpx.Response]
"""The answer to the user message of a request."""


def completion(content: Any, ended_by: str = "stop", **message: Any) -> httpx.Response:
    choice = {"message": {"content": content, **message}, "finish_reason": ended_by}
    return httpx.Response(200, json={"choices": [choice]})


def found(*mentions: tuple[str, str], claims: list[dict[str, Any]] | None = None) -> httpx.Response:
    return completion(
        json.dumps(
            {"mentions": [{"name": name, "kind": kind} for name, kind in mentions], "claims": claims or []}
        )
    )


def claimed(subject: str, predicate: str, object_: str, *sentences: int, **fields: Any) -> dict[str, Any]:
    return {"subject": subject, "predicate": predicate, "object": object_, "sentences": sentences, **fields}


class Chat:
    """Side effect of a respx route: answers the probe, then what the script says."""

    def __init__(self, script: Scripted, *, grammars: bool = True) -> None:
        self.script = script
        self.grammars = grammars
        self.bodies: list[dict[str, Any]] = []
        """Of requests other than the probe."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        user = body["messages"][-1]["content"]
        if "probe" in user:
            return completion(PROBE_ANSWER) if self.grammars else httpx.Response(400, text="unknown field")
        self.bodies.append(body)
        return self.script(user)


def a_document(*paragraphs: str, doc_id: str = "d1") -> Document:
    """A document of one section per paragraph."""
    text, sections = "", []
    for number, paragraph in enumerate(paragraphs):
        start = len(text)
        text += paragraph
        block = Block(block_id=f"b{number}", kind=BlockKind.PARAGRAPH, start_char=start, end_char=len(text))
        sections.append(
            Section(title="", title_path=(), start_char=start, end_char=len(text), blocks=(block,))
        )
        text += "\n\n"
    return Document(
        doc_id=doc_id,
        tenant_id="default",
        source="files",
        version="v1",
        title="",
        text=text,
        sections=tuple(sections),
        parser="authored/1",
    )
