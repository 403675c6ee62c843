"""Every API key names its holder, so that nobody approves their own order with a second key.

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
    op.execute("UPDATE api_key SET holder = id")  # existing keys were made on the server's machine
    op.alter_column("api_key", "holder", nullable=False)


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
