"""A plan keeps its task and the expected counts of its patches, and a classification the objects in all.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every plan so far was made by a bundle that classifies, whose only task is `label`.
    op.add_column("plan", sa.Column("task", sa.String(), server_default=sa.text("'label'"), nullable=False))
    op.add_column("plan", sa.Column("expected", sa.LargeBinary()))
    op.add_column("classification", sa.Column("objects", JSONB(none_as_null=True)))


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
