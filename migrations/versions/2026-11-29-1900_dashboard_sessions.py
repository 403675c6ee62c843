"""Browsers have sessions of their own, instead of a cookie that holds the key.

Revision ID: 0034
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dashboard_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_dashboard_session_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name=op.f("fk_dashboard_session_workspace_id_workspace"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_dashboard_session")),
    )
    op.create_index(op.f("ix_dashboard_session_workspace_id"), "dashboard_session", ["workspace_id"])
    op.execute("GRANT SELECT ON dashboard_session TO loupe_owner")
    op.execute("GRANT SELECT, INSERT ON dashboard_session TO loupe_app")
    op.execute("GRANT UPDATE (ended_at) ON dashboard_session TO loupe_app")


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
