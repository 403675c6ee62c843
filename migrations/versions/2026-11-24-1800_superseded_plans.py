"""A plan may replace an earlier one, and its prices are a quote that expires.

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
    # Existing plans can be ordered for 30 days from now.
    month = sa.text("now() + interval '30 days'")
    op.add_column(
        "plan", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, server_default=month)
    )
    op.alter_column("plan", "expires_at", server_default=None)
    op.create_index(op.f("ix_plan_supersedes"), "plan", ["supersedes"])


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
