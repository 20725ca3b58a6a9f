"""The `llm` extractor: each window of a document to a language model, what it answers found in the text.

Input: documents. Output: mentions and claims, each grounded. All windows of all documents are submitted at
once, up to a limit, so that the server batches them. An answer that is cut off or cannot be read is asked for
again by halves, down to one sentence; a document most of whose windows stay unread fails, alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Final, Self

from orchestration.contracts import CountedExtraction, ExtractorServices, Found, Outcome
from orchestration.errors import (
    ConfigurationError,
    MedkgError,
    RequestRejectedError,
    StageFailedError,
    UnavailableError,
)
from orchestration.extraction.findings import Findings
from orchestration.extraction.graph_schema import GraphSchema, KindDefinition, PredicateDefinition
from orchestration.extraction.llm.answers import Answer, UnreadableAnswerError, read_answer
from orchestration.extraction.llm.grammar import Vocabulary, answer_grammar, answer_schema
from orchestration.extraction.llm.grounding import forms_of, ground
from orchestration.extraction.llm.server import ChatServer, Prompt
from orchestration.extraction.llm.windows import Window, windows_of
from orchestration.records import Document

__all__ = ["LlmExtractor"]

MAX_TOKENS: Final = 1_536
"""Of an answer; a longer one is asked for by halves of its window."""

REQUESTS: Final = 64
"""Windows in flight at once."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One window with its answer, or without one."""

    window: Window
    answer: Answer | None
    reason: str = ""


class LlmExtractor:
    """BatchExtractor over an OpenAI-compatible server; thread-safe."""

    name = "llm"
    version = "1"

    def __init__(self, server: ChatServer, model: str, schema: GraphSchema) -> None:
        self._server = server
        self._model = model
        kinds = schema.prose_kinds
        predicates = _predicates(schema)
        self._vocabulary = Vocabulary(list(kinds), list(predicates))
        self._system = _system_prompt(kinds, predicates)

    @classmethod
    def from_services(cls, services: ExtractorServices) -> Self:
        """Raises ConfigurationError without a server and a model."""
        settings = services.settings
        if settings.llm_url is None or settings.llm_model is None:
            raise ConfigurationError(
                "the extractor `llm` needs a server: set MEDKG_LLM_URL, e.g. http://127.0.0.1:8000/v1, and "
                "MEDKG_LLM_MODEL, or take `llm` out of the topology's `extractors`."
            )
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
        server = ChatServer(services.web, settings.llm_url, settings.llm_model, key)
        return cls(server, settings.llm_model, services.graph_schema)

    @cached_property
    def shape(self) -> Mapping[str, str]:
        """Model, prompt and grammar; see ShapedExtractor."""
        sample = answer_grammar("text", 1, self._vocabulary)
        return {
            "model": self._model,
            "prompt": _short_hash(self._system),
            "grammar": _short_hash(sample),
        }

    def extract_batch(self, documents: Sequence[Document]) -> Sequence[Outcome[Found]]:
        """What each document says; see BatchExtractor.

        Raises UnavailableError and ConfigurationError of the server. A document whose request fails
        otherwise has that error.
        """
        with ThreadPoolExecutor(REQUESTS, thread_name_prefix="llm") as threads:
            pending = [
                [threads.submit(copy_context().run, self._read, window) for window in windows_of(document)]
                for document in documents
            ]
            try:
                return [
                    self._outcome(document, [each.result for each in requests])
                    for document, requests in zip(documents, pending, strict=True)
                ]
            except (UnavailableError, ConfigurationError):
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _outcome(self, document: Document, results: Sequence[Any]) -> Outcome[Found]:
        try:
            reads = [read for result in results for read in result()]
        except (UnavailableError, ConfigurationError):
            raise
        except MedkgError as error:
            return error
        unread = [read for read in reads if read.answer is None]
        if reads and len(unread) * 2 > len(reads):
            return StageFailedError(
                f"{document.doc_id}: the language model {self._model} gave no usable answer for "
                f"{len(unread)} of {len(reads)} windows; the first: {unread[0].reason}. Try another model, "
                "then `medkg dlq replay`."
            )
        shape = " ".join(f"{name}={value}" for name, value in self.shape.items())
        findings = Findings(
            document,
            f"{self.name}/{self.version} {shape}",
            agent_type="text_mining_agent",
            knowledge_level="not_provided",
        )
        other_forms = forms_of(document.text)
        dropped: Counter[str] = Counter({"window unread": len(unread)} if unread else {})
        for read in reads:
            if read.answer is not None:
                dropped += ground(findings, read.window, read.answer, other_forms)
        return CountedExtraction(*findings.extraction(), dropped)

    def _read(self, window: Window) -> list[_Read]:
        """The window's answer, or those of its halves where it has none."""
        try:
            answer, reason = self._asked(window)
        except RequestRejectedError as error:
            if error.status not in (400, 413, 422):
                raise
            answer, reason = None, str(error)  # most likely longer than the model's context
        halves = window.halves() if answer is None else None
        if halves is None:
            return [_Read(window, answer, reason)]
        return [read for half in halves for read in self._read(half)]

    def _asked(self, window: Window) -> tuple[Answer | None, str]:
        reply = self._server.answer(self._prompt(window))
        if reply.ended_by != "stop":
            return None, f"ended by {reply.ended_by}"
        try:
            return read_answer(reply.content), ""
        except UnreadableAnswerError as error:
            return None, str(error)

    def _prompt(self, window: Window) -> Prompt:
        count = len(window.sentences)
        numbered = "\n".join(
            f"[{number}] {' '.join(window.text_of(sentence).split())}"
            for number, sentence in enumerate(window.sentences, 1)
        )
        return Prompt(
            self._system,
            f"BEGIN\n{numbered}\nEND",
            answer_grammar(window.text, count, self._vocabulary),
            answer_schema(count, self._vocabulary),
            MAX_TOKENS,
        )


def _predicates(schema: GraphSchema) -> dict[str, PredicateDefinition]:
    """Predicates that models look for, each with the pairs of kinds of prose that it joins."""
    kinds = schema.prose_kinds.keys()
    pairs = {
        name: tuple(pair for pair in predicate.joins if kinds >= set(pair))
        for name, predicate in schema.prose_predicates.items()
    }
    return {
        name: schema.predicates[name].model_copy(update={"joins": joins})
        for name, joins in pairs.items()
        if joins
    }


def _system_prompt(kinds: Mapping[str, KindDefinition], predicates: Mapping[str, PredicateDefinition]) -> str:
    template = resources.files(__package__).joinpath("prompt.md").read_text(encoding="utf-8")
    listed_kinds = "\n".join(f"- {name}: {kind.description}" for name, kind in kinds.items())
    listed_predicates = "\n".join(
        f"- {name}: {predicate.description} Joins "
        + ", ".join(f"{subject} and {object_}" for subject, object_ in predicate.joins)
        + "."
        for name, predicate in predicates.items()
    )
    return template.replace("{kinds}", listed_kinds).replace("{predicates}", listed_predicates or "- none")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
