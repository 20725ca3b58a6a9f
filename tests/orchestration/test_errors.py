"""Errors keep their class, message and attributes across process boundaries."""

from __future__ import annotations

import pickle

from orchestration.errors import MedkgError, RateLimitedError, RequestRejectedError, rebuilt_error


class NeedsMoreError(MedkgError):
    """An error of a plugin, whose constructor takes more than a message."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


def test_an_error_is_rebuilt_by_the_name_of_its_class() -> None:
    error = rebuilt_error("orchestration.errors.RateLimitedError", "slow down", retry_after=3.0)
    assert type(error) is RateLimitedError
    assert (str(error), error.message, error.retry_after) == ("slow down", "slow down", 3.0)


def test_attributes_that_did_not_cross_have_their_defaults() -> None:
    limited, rejected = rebuilt_error("RateLimitedError", "a"), rebuilt_error("RequestRejectedError", "b")
    assert isinstance(limited, RateLimitedError) and limited.retry_after is None
    assert isinstance(rejected, RequestRejectedError) and rejected.status is None


def test_an_error_with_another_constructor_is_rebuilt_and_unpickled() -> None:
    assert type(rebuilt_error("NeedsMoreError", "a: b")) is NeedsMoreError
    copy = pickle.loads(pickle.dumps(NeedsMoreError("a", "b")))
    assert (type(copy), copy.message) == (NeedsMoreError, "a: b")


def test_a_class_that_is_not_ours_is_none() -> None:
    assert rebuilt_error("ValueError", "no") is None
