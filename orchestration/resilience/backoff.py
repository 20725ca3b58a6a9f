"""Seconds between two attempts: the backoff of the policy, or Retry-After where that is longer.

Comes in: a policy, and what tenacity knows of the failed attempt. Leaves: waits for tenacity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenacity import (
    RetryCallState,
    wait_exponential_jitter,
    wait_incrementing,
    wait_none,
)
from tenacity.wait import wait_base

from orchestration.errors import MedkgError
from orchestration.resilience.policies import ExponentialBackoff, LinearBackoff, ResiliencePolicyConfig

__all__ = ["backoff", "errors_of", "obeying_retry_after"]


def backoff(policy: ResiliencePolicyConfig) -> wait_base:
    """The wait of the policy's strategy."""
    strategy = policy.backoff_strategy
    if isinstance(strategy, ExponentialBackoff):
        jitter = strategy.first_seconds if strategy.jitter else 0
        return wait_exponential_jitter(
            multiplier=strategy.first_seconds, max=strategy.most_seconds, jitter=jitter
        )
    if isinstance(strategy, LinearBackoff):
        return wait_incrementing(strategy.first_seconds, strategy.step_seconds, strategy.most_seconds)
    return wait_none()


def obeying_retry_after(wait: wait_base) -> Callable[[RetryCallState], float]:
    """The longer of `wait` and the Retry-After of the attempt's errors, in seconds."""

    def seconds(state: RetryCallState) -> float:
        requested = [getattr(error, "retry_after", None) or 0.0 for error in errors_of(state)]
        return max(wait(state), *requested, 0.0)

    return seconds


def errors_of(state: RetryCallState) -> Sequence[MedkgError]:
    """Errors of an attempt: the exception of a call, or the errors that a batch attempt returned."""
    assert state.outcome is not None
    error = state.outcome.exception()
    if error is None:
        returned: Sequence[MedkgError] = state.outcome.result()
        return returned
    return [error] if isinstance(error, MedkgError) else []
