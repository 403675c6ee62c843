"""Beside a budget with `approval_above`, no holder loosens another budget or accepts a price alone.

Revision ID: 0041
Revises: 0040
"""

from pathlib import Path

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

RULES = Path(__file__).parent / "2026-11-30-0355_ways_around.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(RULES.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
