"""An order has tags and a cost centre.

Revision ID: 0019
Revises: 0018
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

LABELS = Path(__file__).parent / "2026-11-29-1200_order_labels.sql"


def upgrade() -> None:
    op.add_column("order", sa.Column("tags", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("order", sa.Column("cost_center", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_order_tags_object"), "order", "jsonb_typeof(tags) = 'object'")
    op.create_check_constraint(
        op.f("ck_order_cost_center_length"), "order", "length(cost_center) BETWEEN 1 AND 100"
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(LABELS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
