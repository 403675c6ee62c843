"""A key has a role, may expire, and shows when it was last used and whether it comes from LOUPE_API_KEY.

Revision ID: 0028
Revises: 0026
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0026"
branch_labels = None
depends_on = None

ROLES = Path(__file__).parent / "2026-11-29-1830_key_roles.sql"


def upgrade() -> None:
    # The keys of before could do everything.
    op.add_column("api_key", sa.Column("role", sa.String(), server_default="admin", nullable=False))
    op.alter_column("api_key", "role", server_default=None)
    op.add_column("api_key", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_key", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_key", sa.Column("operator", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE api_key SET operator = true WHERE name = 'operator' AND holder = id")
    op.create_check_constraint(
        op.f("ck_api_key_role"),
        "api_key",
        "role IN ('viewer', 'planner', 'buyer', 'approver', 'finance', 'admin')",
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(ROLES.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
