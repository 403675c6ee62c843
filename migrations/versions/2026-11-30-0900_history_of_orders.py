"""An order's status and deadline have their history, and what the serving role may set once stays.

Revision ID: 0045
Revises: 0044
"""

from pathlib import Path

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent / "2026-11-30-0900_history_of_orders.sql"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_order_status_change_seq_from_1"), "order_status_change", "seq >= 1")
    op.drop_index("ix_order_hold", "order")
    op.create_index("uq_order_hold", "order", ["hold_id"], unique=True)
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(GUARDS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
