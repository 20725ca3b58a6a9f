"""Requests to an OpenAI-compatible server: one prompt, one answer, constrained to a grammar or a schema.

Input: a prompt with the constraints of its answer. Output: the answer's text and why it ended. Attempts,
rate, time-out and breaker are those of the policy `language-model` (resilience.yaml). Whether the
server takes grammars is probed once; without them it gets the JSON Schema, and the log says so.
Source: https://platform.openai.com/docs/api-reference/chat, https://docs.vllm.ai/en/latest/features/structured_outputs/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import structlog

from orchestration.contracts import WebAnswer, WebClient
from orchestration.errors import ConfigurationError, RequestRejectedError, UnexpectedAnswerError

__all__ = ["ChatServer", "Prompt", "Reply"]

POLICY: Final = "language-model"
PROBE_GRAMMAR: Final = r'start: "{\"probe\":" "7" "}"'
PROBE_ANSWER: Final = '{"probe":7}'


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request."""

    system: str
    """The same for all requests of a schema, so that servers cache it."""
    user: str
    grammar: str
    schema: Mapping[str, Any]
    """Of the same answers, for servers without grammars."""
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    content: str
    """Empty for a refusal."""
    ended_by: str
    """stop, length, content_filter, refusal."""


class ChatServer:
    """A server's chat completions; thread-safe."""

    def __init__(self, web: Callable[[], WebClient], url: str, model: str, api_key: str | None) -> None:
        self._web = web
        self._url = f"{url}/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @cached_property
    def takes_grammars(self) -> bool:
        """Whether the server constrains answers to a grammar, by a request whose only answer is known."""
        prompt = Prompt("", "Answer with the probe.", PROBE_GRAMMAR, {}, 16)
        try:
            takes = (
                self._sent(prompt, {"structured_outputs": {"grammar": prompt.grammar}}).content
                == PROBE_ANSWER
            )
        except RequestRejectedError as error:
            if error.status not in (400, 422):
                raise
            takes = False
        if not takes:
            structlog.get_logger(__name__).warning(
                "the server takes no grammars; names are checked after the answer", url=self._url
            )
        return takes

    def answer(self, prompt: Prompt) -> Reply:
        """Send one prompt.

        Raises the errors of WebClient, ConfigurationError for a wrong key, model or address, and
        UnexpectedAnswerError for an answer that is no chat completion.
        """
        if self.takes_grammars:
            return self._sent(prompt, {"structured_outputs": {"grammar": prompt.grammar}})
        schema = {"name": "extraction", "schema": prompt.schema, "strict": True}
        return self._sent(prompt, {"response_format": {"type": "json_schema", "json_schema": schema}})

    def _sent(self, prompt: Prompt, constraints: Mapping[str, Any]) -> Reply:
        messages = [{"role": "user", "content": prompt.user}]
        if prompt.system:
            messages.insert(0, {"role": "system", "content": prompt.system})
        body = {
            "model": self._model,
            "messages": messages,
            "temperature": 0,
            "seed": 0,
            "max_tokens": prompt.max_tokens,
            **constraints,
        }
        try:
            answer = self._web().post_json(self._url, body, headers=self._headers, policy=POLICY)
        except RequestRejectedError as error:
            if error.status in (401, 403, 404):
                raise ConfigurationError(
                    f"the language model's server refused the request ({error}). Check MEDKG_LLM_URL (it "
                    "ends with /v1 for most servers), MEDKG_LLM_MODEL and MEDKG_LLM_API_KEY."
                ) from error
            raise
        return _reply(answer)


def _reply(answer: WebAnswer) -> Reply:
    value = answer.json()
    try:
        choice = value["choices"][0]
        message = choice["message"]
        refusal = message.get("refusal")
        content = _text(message.get("content") or "")
        ended_by = "refusal" if refusal else str(choice.get("finish_reason") or "stop")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnexpectedAnswerError(
            f"{answer.url}: the answer is no chat completion ({type(error).__name__}). MEDKG_LLM_URL must be "
            "an OpenAI-compatible API."
        ) from error
    return Reply(content, ended_by)


def _text(content: Any) -> str:
    """The text of a message, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part.get("type") == "text")
    return str(content)
