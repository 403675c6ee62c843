"""Files that show a part of a patch are kept, so that several of them can deliver it.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivered_part",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("tile", sa.Integer(), nullable=False),
        sa.Column("patch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("lacking", sa.LargeBinary(), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("covered", sa.Float(), nullable=False),
        sa.Column("remainder", postgresql.JSONB(astext_type=sa.Text(), none_as_null=True), nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_delivered_part_number_from_1")),
        sa.CheckConstraint("patch BETWEEN 0 AND 15", name=op.f("ck_delivered_part_patch_index")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order.id"], name=op.f("fk_delivered_part_order_id_order"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_delivered_part_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("order_id", "tile", "patch", "number", name=op.f("pk_delivered_part")),
    )
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON delivered_part
        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON delivered_part
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()
    """)
    op.execute("REVOKE ALL ON delivered_part FROM PUBLIC, loupe_app")
    op.execute("GRANT SELECT ON delivered_part TO loupe_owner, loupe_app")
    op.execute("GRANT INSERT ON delivered_part TO loupe_app")


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
