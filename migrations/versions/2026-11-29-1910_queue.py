"""The queue of jobs: procrastinate's tables and functions in a schema of their own.

Revision ID: 0033
Revises: 0032
"""

from pathlib import Path

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

QUEUE = Path(__file__).parent / "2026-11-29-1910_queue.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(QUEUE.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
