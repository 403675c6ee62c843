"""The deadline of an order can be put off; its history records it.

Revision ID: 0020
Revises: 0019
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

DEADLINES = Path(__file__).parent / "2026-11-29-1220_deadlines.sql"


def upgrade() -> None:
    op.add_column("order_status_change", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(DEADLINES.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
