"""An audit log, to which rows are only added.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

GUARDS = (
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()""",
    """CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()""",
    "GRANT SELECT ON audit_event TO loupe_owner",
    "GRANT SELECT, INSERT ON audit_event TO loupe_app",
)


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint("times > 0", name=op.f("ck_audit_event_times")),
        sa.CheckConstraint("length(kind) BETWEEN 1 AND 50", name=op.f("ck_audit_event_kind")),
        sa.CheckConstraint("jsonb_typeof(detail) = 'object'", name=op.f("ck_audit_event_detail")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name=op.f("fk_audit_event_workspace_id_workspace"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_audit_event_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index("ix_audit_event_workspace_created", "audit_event", ["workspace_id", "created_at", "id"])
    op.create_index("ix_audit_event_created", "audit_event", ["created_at", "id"])
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
