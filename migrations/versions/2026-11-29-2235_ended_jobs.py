"""A job that has ended never changes.

Revision ID: 0038
Revises: 0037
"""

from pathlib import Path

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

GUARD = Path(__file__).parent / "2026-11-29-2235_ended_jobs.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(GUARD.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
