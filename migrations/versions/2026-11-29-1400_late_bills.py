"""An expired order takes patches that come late, and is billed once more.

Revision ID: 0023
Revises: 0022
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BILLS = Path(__file__).parent / "2026-11-29-1400_late_bills.sql"


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_late_bill_{name}"))


def _references(column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_late_bill_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="RESTRICT")


def upgrade() -> None:
    op.create_table(
        "late_bill",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("patches", sa.Integer(), nullable=False),
        sa.Column("billed_minor", sa.BigInteger(), nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _check("number_from_1", "number >= 1"),
        _check("patches_positive", "patches > 0"),
        _check("settled_within_bill", "settled_minor BETWEEN 0 AND billed_minor"),
        _check("basis", "basis IN ('terms', 'prices')"),
        _references("order_id", "order"),
        _references("key_id", "api_key"),
        sa.PrimaryKeyConstraint("order_id", "number", name=op.f("pk_late_bill")),
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(BILLS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
