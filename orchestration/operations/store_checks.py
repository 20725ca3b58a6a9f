"""Whether every configured store answers: ledger, search, vectors, documents, objects.

Input: the parts of a data folder. Output: where each store is, or an error that names it. A server that takes
connections and does not answer would hold the client for its own time-out, so each question has a bound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from orchestration.errors import DagsterResourceUnavailableError

if TYPE_CHECKING:
    from orchestration.operations.parts import Parts

__all__ = ["STORE_SECONDS", "ask_store", "wait_for_stores"]

STORE_SECONDS: Final = 10.0
"""How long a store may take to answer a question that reads next to nothing."""


def ask_store(name: str, question: Callable[[], str], seconds: float = STORE_SECONDS) -> str:
    """The answer of a store; raises its error, or DagsterResourceUnavailableError after `seconds`.

    A question without an answer goes on in its thread, which ends with the process.
    """
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            answer.set_exception(error)

    threading.Thread(target=ask, name=f"ask-{name}", daemon=True).start()
    try:
        return answer.result(seconds)
    except FutureTimeoutError as error:
        raise DagsterResourceUnavailableError(
            f"the {name} has not answered in {seconds:g} s. Check its server and the address in the settings "
            "(MEDKG_LEDGER_URL, MEDKG_OPENSEARCH_URL, MEDKG_OBJECTS_URL)."
        ) from error


def wait_for_stores(parts: Parts, notify: Callable[[str], None], seconds: float = STORE_SECONDS) -> None:
    """Return when every store has answered; a server that does not is waited for and named.

    Raises its DagsterResourceUnavailableError after `unavailable_seconds` of the settings, and any other
    error of a store at once.
    """
    limit = parts.settings.unavailable_seconds
    for name, question in parts.store_questions().items():

        def announce(state: RetryCallState, name: str = name) -> None:
            if state.attempt_number == 1 and state.outcome is not None:
                notify(f"waiting up to {limit:g} s for the {name}: {state.outcome.exception()}")

        waiting = Retrying(
            retry=retry_if_exception_type(DagsterResourceUnavailableError),
            wait=wait_exponential(0.5, max=5.0),
            stop=stop_after_delay(limit),
            before_sleep=announce,
            reraise=True,
        )
        waiting(ask_store, name, question, seconds)
