"""The ledger: where each document stands, which versions are visible, and what failed for good.

Comes in: enumerated items, outcomes of stages, commits. Leaves: windows to work on and accounts that add
up. One SQL database (SQLite embedded, PostgreSQL in production); every call is one transaction.
"""

from orchestration.ledger.damage import ledger_damage, set_ledger_aside
from orchestration.ledger.ledger import SqlLedger, open_ledger

__all__ = ["SqlLedger", "ledger_damage", "open_ledger", "set_ledger_aside"]
