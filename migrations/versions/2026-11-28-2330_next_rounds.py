"""A plan can follow an order: it keeps what was read of the order's patches, and what was expected before.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan", sa.Column("follows", sa.Uuid()))
    op.create_foreign_key("fk_plan_follows_order", "plan", "order", ["follows"], ["id"], ondelete="RESTRICT")
    op.create_index(op.f("ix_plan_follows"), "plan", ["follows"])
    op.add_column("plan", sa.Column("first_expected", sa.LargeBinary()))
    op.add_column("plan", sa.Column("readings", sa.LargeBinary()))


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
