"""The application gets a role that cannot bypass the ledger; another, that nobody logs in as, owns it.

Revision ID: 0005
Revises: 0004
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RIGHTS = Path(__file__).parent.parent / "rights.sql"


def upgrade() -> None:
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(RIGHTS.read_text())


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken down; restore a backup")
