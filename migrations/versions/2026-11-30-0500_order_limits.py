"""A price list states what its provider takes in one order.

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("price_list", sa.Column("max_parts", sa.Integer(), nullable=True))
    for column in ("minimum_part_km2", "maximum_part_km2"):
        op.add_column("price_list", sa.Column(column, sa.Numeric(14, 6), nullable=True))
    for name, condition in {
        "parts_positive": "max_parts >= 1",
        "smallest_part_positive": "minimum_part_km2 > 0",
        "part_limits_ordered": "maximum_part_km2 >= coalesce(minimum_part_km2, 0)",
    }.items():
        op.create_check_constraint(op.f(f"ck_price_list_{name}"), "price_list", condition)


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
