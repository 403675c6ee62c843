"""A delivery is paid once and may have several files, of which the newest is used.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FILE_COLUMNS = ("sha256", "size", "pixels", "checks")


def upgrade() -> None:
    op.create_table(
        "delivered_file",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("tile", sa.Integer(), nullable=False),
        sa.Column("patch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_delivered_file_version_from_1")),
        sa.ForeignKeyConstraint(
            ["order_id", "tile", "patch"],
            ["delivery.order_id", "delivery.tile", "delivery.patch"],
            name=op.f("fk_delivered_file_order_id_tile_patch_delivery"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_delivered_file_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("order_id", "tile", "patch", "version", name=op.f("pk_delivered_file")),
        sa.UniqueConstraint(
            "order_id", "tile", "patch", "sha256", name=op.f("uq_delivered_file_order_id_tile_patch_sha256")
        ),
    )
    # Version 1 of every delivery so far. Its key was not recorded.
    op.execute("""
        INSERT INTO delivered_file (order_id, tile, patch, version, sha256, size, pixels, checks, created_at)
        SELECT order_id, tile, patch, 1, sha256, size, pixels, checks, created_at FROM delivery
    """)
    for column in FILE_COLUMNS:
        op.drop_column("delivery", column)
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON delivered_file
        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON delivered_file
        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()
    """)
    op.execute("REVOKE ALL ON delivered_file FROM PUBLIC, loupe_app")
    op.execute("GRANT SELECT ON delivered_file TO loupe_owner, loupe_app")
    op.execute("GRANT INSERT ON delivered_file TO loupe_app")


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
