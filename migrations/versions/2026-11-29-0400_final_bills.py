"""An order that ends early settles the provider's bill for what came.

Revision ID: 0017
Revises: 0016
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BILLS = Path(__file__).parent / "2026-11-29-0400_final_bills.sql"


def upgrade() -> None:
    op.create_table(
        "final_bill",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("patches", sa.Integer(), nullable=False),
        sa.Column("billed_minor", sa.BigInteger(), nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("patches > 0", name=op.f("ck_final_bill_patches_positive")),
        sa.CheckConstraint(
            "settled_minor BETWEEN 0 AND billed_minor", name=op.f("ck_final_bill_settled_within_bill")
        ),
        sa.CheckConstraint("basis IN ('terms', 'prices')", name=op.f("ck_final_bill_basis")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order.id"], name=op.f("fk_final_bill_order_id_order"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_final_bill")),
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(BILLS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
