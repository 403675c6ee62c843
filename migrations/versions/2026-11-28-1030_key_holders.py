"""Every API key says whose it is, so that nobody approves an own order with a second key made for it.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("holder", sa.String()))
    op.execute("UPDATE api_key SET holder = id")  # until now every key was made on the server's machine
    op.alter_column("api_key", "holder", nullable=False)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken down; restore a backup")
