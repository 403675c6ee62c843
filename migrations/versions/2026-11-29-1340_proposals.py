"""Proposals: charges and changes of terms that wait for the key of another holder.

Revision ID: 0022
Revises: 0021
"""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

PROPOSALS = Path(__file__).parent / "2026-11-29-1340_proposals.sql"


def upgrade() -> None:
    op.create_index("ix_order_hold", "order", ["hold_id"])
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(PROPOSALS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
