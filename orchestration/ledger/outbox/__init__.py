"""The outbox: facts written with what makes them true, and read in order by those that publish them.

Comes in: rows of documents that the caller's transaction changes (`recording`). Leaves: facts with their
documents, and the places of readers (`store`).
"""

from orchestration.ledger.outbox.store import SqlOutbox

__all__ = ["SqlOutbox"]
