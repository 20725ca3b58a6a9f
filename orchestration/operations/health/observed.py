"""Degradations that processes observed: open breakers, services waited for, unusable resources, alerts.

Comes in: observed facts, the newest first. Leaves: degradations that hold still. A process that was killed
cannot take back what it observed, so each kind holds for a limited time only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestration.contracts.facts import AlertChanged, BreakerChanged, Fact, ResourceChanged, ServiceWaited
from orchestration.operations.health.degradation import Degradation, advice

__all__ = ["KINDS", "SECONDS", "observed"]

KINDS: Final = ("breaker.changed", "service.waited", "resource.changed", "alert.changed")
"""Kinds of facts that say what does not work."""

SECONDS: Final = 86_400.0
"""How long the oldest of them holds: a resource or an alert."""
BREAKER_SECONDS: Final = 900.0
"""A breaker lets a call through every minute or so while it is used; older changes are of ended processes."""
WAIT_SECONDS: Final = 15.0
"""How long behind the announced next try a service still counts as waited for: a try may take some time."""


def observed(facts: Iterable[Fact], now: float) -> list[Degradation]:
    """What holds now, of facts that come newest first; since when is read from the facts before it."""
    histories: dict[tuple[str, ...], list[Fact]] = {}
    for fact in facts:
        if (subject := _subject(fact)) is not None:
            histories.setdefault(subject, []).append(fact)
    return [
        degradation.model_copy(update={"since": _since(history)})
        for history in histories.values()
        for degradation in _holds(history[0], now)
    ]


def _since(history: Sequence[Fact]) -> float:
    """When what the newest fact says began: facts before it that say the same, without a gap between them."""
    since = history[0].happened_at
    for fact in history[1:]:
        body = fact.body
        if isinstance(body, ServiceWaited) and since - fact.happened_at > body.wait_ms / 1000 + WAIT_SECONDS:
            break
        if isinstance(body, BreakerChanged) and body.state == "closed":
            break
        if getattr(body, "available", False) or getattr(body, "firing", True) is False:
            break
        since = fact.happened_at
    return since


def _subject(fact: Fact) -> tuple[str, ...] | None:
    match fact.body:
        case BreakerChanged(stage=stage, resource=resource):
            return "breaker", stage, resource
        case ServiceWaited(stage=stage, code=code, resource=resource):
            return "service", fact.pipeline_name, stage, resource, code
        case ResourceChanged(resource=resource):
            return "resource", resource
        case AlertChanged(alert=alert, fingerprint=fingerprint):
            return "alert", alert, fingerprint
    return None


def _holds(fact: Fact, now: float) -> Iterator[Degradation]:
    age = now - fact.happened_at
    match fact.body:
        case BreakerChanged(state="open" | "half-open" as state) as body if age < BREAKER_SECONDS:
            where = f" for {body.resource}" if body.resource else ""
            yield Degradation(
                subject=f"breaker {body.stage}{where}",
                cause=f"{state}: calls failed again and again"
                + (f" ({body.code}: {_first(advice(body.code))})" if body.code else ""),
                next_step=_step(
                    body.code, "Look at the service that the stage calls; calls go on by themselves."
                ),
                code=body.code,
            )
        case ServiceWaited() as body if age < body.wait_ms / 1000 + WAIT_SECONDS:
            at_host = f" at {body.resource}" if body.resource else ""
            yield Degradation(
                subject=f"stage {'/'.join(filter(None, (fact.pipeline_name, body.stage)))}{at_host}",
                cause=f"waits for a service ({body.code}: {_first(advice(body.code))})",
                next_step=_step(body.code, "Start the service; the stage goes on by itself."),
                code=body.code,
            )
        case ResourceChanged(available=False) as body:
            yield Degradation(
                subject=body.resource,
                cause=body.message or "it is not available",
                next_step=_step(body.code, "`medkg doctor` checks it; its log is in the data folder's logs."),
                code=body.code,
            )
        case AlertChanged(firing=True) as body:
            yield Degradation(
                subject=f"alert {body.alert}",
                cause=body.summary,
                next_step=f"docs/guides/runbooks.md#{body.alert.lower()}",
            )


def _first(text: str) -> str:
    """The first sentence: the cause."""
    return text.split(". ", 1)[0].rstrip(".")


def _step(code: str, otherwise: str) -> str:
    """What follows the first sentence: the next step."""
    _, _, rest = advice(code).partition(". ")
    return rest or otherwise
