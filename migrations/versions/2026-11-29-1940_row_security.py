"""A transaction sees the rows of its workspace only, and none if it names no workspace.

Revision ID: 0035
Revises: 0030
"""

from pathlib import Path

from alembic import op

revision = "0035"
down_revision = "0030"
branch_labels = None
depends_on = None

POLICIES = Path(__file__).parent / "2026-11-29-1940_row_security.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(POLICIES.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
