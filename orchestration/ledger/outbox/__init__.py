"""The outbox: facts written with what makes them true, and read in order by those that publish them.

Comes in: rows of documents that the caller's transaction changes. Leaves: facts with their documents, and the
places of readers.
"""

from orchestration.ledger.outbox.recording import record, record_documents, record_listed, record_window
from orchestration.ledger.outbox.store import SqlOutbox

__all__ = ["SqlOutbox", "record", "record_documents", "record_listed", "record_window"]
