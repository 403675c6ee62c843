"""A plan keeps which patches were owned or on order, from which orders, and what that saves.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan", sa.Column("ground", sa.LargeBinary()))
    op.add_column("plan", sa.Column("reuse", JSONB()))


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
