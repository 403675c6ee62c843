"""Budgets get terms, orders expire and need approval, and the ledger gets refunds and later charges.

Revision ID: 0004
Revises: 0003
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LEDGER = Path(__file__).parent / "2026-11-24-2200_budget_terms.sql"


def upgrade() -> None:
    # Existing orders can be delivered for 30 days from now.
    month = sa.text("now() + interval '30 days'")
    op.add_column(
        "order", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, server_default=month)
    )
    op.alter_column("order", "expires_at", server_default=None)
    op.add_column("order_status_change", sa.Column("note", sa.String()))
    for table in ("order", "order_status_change"):
        op.add_column(table, sa.Column("key_id", sa.String()))
        op.create_foreign_key(
            op.f(f"fk_{table}_key_id_api_key"), table, "api_key", ["key_id"], ["id"], ondelete="RESTRICT"
        )
    op.drop_index("uq_order_plan_open", "order")
    op.create_index(
        "uq_order_plan_open",
        "order",
        ["plan_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('user_cancelled', 'rejected', 'expired')"),
    )
    op.create_index(
        "ix_order_expires_at",
        "order",
        ["expires_at"],
        postgresql_where=sa.text("status IN ('held', 'accepted', 'processing')"),
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(LEDGER.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
