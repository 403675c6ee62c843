"""A price list names the bands in which its provider delivers red, green and blue.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

THREE_NUMBERS = "delivery_bands ~ '^[1-9][0-9]?,[1-9][0-9]?,[1-9][0-9]?$'"


def upgrade() -> None:
    op.add_column("price_list", sa.Column("delivery_bands", sa.String()))
    op.create_check_constraint(op.f("ck_price_list_delivery_bands"), "price_list", THREE_NUMBERS)


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
