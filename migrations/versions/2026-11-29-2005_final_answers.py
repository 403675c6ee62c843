"""An answer under an idempotency key never changes, and a revoked key stays revoked.

Revision ID: 0037
Revises: 0035
"""

from pathlib import Path

from alembic import op

revision = "0037"
down_revision = "0035"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent / "2026-11-29-2005_final_answers.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(GUARDS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
