"""Price lists get tiers, minimum charges, rules for shapes and days of validity.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(14, 6)
# Values for the lists published before this migration; new lists have their own.
WITH_DEFAULTS = (
    sa.Column("mode", sa.String(), nullable=False, server_default="archive"),
    sa.Column("tiers", postgresql.JSONB(), nullable=False, server_default="[]"),
    sa.Column("minimum_charge", MONEY, nullable=False, server_default="0"),
    sa.Column("areas_summed", sa.Boolean(), nullable=False, server_default="true"),
    sa.Column("minimum_width_m", sa.Numeric(12, 3), nullable=False, server_default="0"),
    sa.Column("convex", sa.Boolean(), nullable=False, server_default="false"),
    sa.Column("holes", sa.Boolean(), nullable=False, server_default="true"),
)
OPTIONAL = (
    sa.Column("price_per_scene", MONEY),
    sa.Column("max_vertices", sa.Integer()),
    sa.Column("cloud_guarantee_percent", sa.Numeric(5, 2)),
    sa.Column("licence", sa.String()),
    sa.Column("valid_from", sa.Date()),
    sa.Column("valid_to", sa.Date()),
)
CHECKS = {
    "mode": "mode IN ('archive', 'tasking')",
    "scene_price_positive": "price_per_scene > 0",
    "one_price": "(price_per_km2 IS NULL) <> (price_per_scene IS NULL)",
    "charge_not_negative": "minimum_charge >= 0",
    "width_not_negative": "minimum_width_m >= 0",
    "vertices_of_a_rectangle": "max_vertices >= 4",
    "valid_for_a_day": "valid_to >= valid_from",
}


def upgrade() -> None:
    for column in (*WITH_DEFAULTS, *OPTIONAL):
        op.add_column("price_list", column)
    for column in WITH_DEFAULTS:
        op.alter_column("price_list", column.name, server_default=None)
    op.alter_column("price_list", "price_per_km2", nullable=True)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_price_list_{name}"), "price_list", condition)


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
