"""Plans that buy nothing are found without looking at all others.

Revision ID: 0049
Revises: 0048
"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_plan_buys_nothing",
        "plan",
        ["workspace_id", "created_at", "id"],
        postgresql_where=sa.text("patches_bought = 0"),
    )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
