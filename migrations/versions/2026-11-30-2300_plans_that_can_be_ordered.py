"""Plans whose prices apply are found without looking at all others.

Revision ID: 0050
Revises: 0049
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_plan_expires",
        "plan",
        ["workspace_id", "expires_at"],
        postgresql_where=sa.text("patches_bought > 0"),
    )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
