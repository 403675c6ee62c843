"""The newest evidence that is not of a scene or plan is found without reading theirs.

Revision ID: 0046
Revises: 0045
"""

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX evidence_of_orders ON ledger.evidence (workspace_id, seq) "
        "WHERE kind NOT IN ('scene', 'plan')"
    )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
