"""A plan may take the place of an earlier one.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan", sa.Column("supersedes", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_plan_supersedes_plan"), "plan", "plan", ["supersedes"], ["id"], ondelete="RESTRICT"
    )
    op.create_index(op.f("ix_plan_supersedes"), "plan", ["supersedes"])


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken down; restore a backup")
