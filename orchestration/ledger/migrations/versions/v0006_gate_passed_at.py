"""Documents note when their gate opened, so that their phase is not guessed from the name of the gate.

Before, `gate` was kept after the gate had opened, so a queued row with a gate meant "second phase". Rows
that passed a gate get the time of their last change, since the time of the pass was not recorded.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NOTE_PASSED_GATES = """
UPDATE documents SET gate_passed_at = updated_at
WHERE gate IS NOT NULL
  AND status <> 'waiting'
  AND (status IN ('queued', 'running')
       OR window_id IN (SELECT window_id FROM windows WHERE resumed))
"""
"""A row that ended has passed its gate if its last window was one of the second phase."""


def upgrade() -> None:
    passed: sa.Column[float] = sa.Column(
        "gate_passed_at", sa.Float(), comment="when that gate opened for it; set: second phase"
    )
    op.add_column("documents", passed)
    op.execute(NOTE_PASSED_GATES)


def downgrade() -> None:
    op.drop_column("documents", "gate_passed_at")
