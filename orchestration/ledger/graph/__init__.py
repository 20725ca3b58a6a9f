"""The graph in the ledger's database: rows of documents, what readers look up of them, and aliases.

Input: extractions per document and intent, and pairs of keys. Output: what commits make visible, with
concepts merged as aliases say. `store`, `aliases` and `snapshots` are parts of the ledger; `counting` keeps
visible rows and counts true to the commits; `reading`, `walking`, `disagreeing` and `proposing` answer
questions.
"""

from orchestration.ledger.graph.aliases import SqlAliases
from orchestration.ledger.graph.snapshots import SqlGraphSnapshots
from orchestration.ledger.graph.store import SqlGraph

__all__ = ["SqlAliases", "SqlGraph", "SqlGraphSnapshots"]
