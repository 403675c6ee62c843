"""The pixels of scenes and deliveries can be deleted, on request or after some days.

Revision ID: 0039
Revises: 0038
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent / "2026-11-29-2310_deleted_pixels.sql"


def upgrade() -> None:
    for table in ("scene", "order"):
        op.add_column(table, sa.Column("pixels_deleted_at", sa.DateTime(timezone=True), nullable=True))
        op.add_column(table, sa.Column("pixels_deleted_by", sa.String(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_{table}_pixels_deleted_by_api_key"),
            table,
            "api_key",
            ["pixels_deleted_by"],
            ["id"],
            ondelete="RESTRICT",
        )
    for table in ("delivered_file", "delivered_part"):
        op.add_column(table, sa.Column("pixels_sha256", sa.LargeBinary(), nullable=True))
        known = "(pixels_sha256 IS NULL) = (pixels <> '')"
        op.create_check_constraint(op.f(f"ck_{table}_pixels_or_digest"), table, known)
    for column in ("scene_days", "delivery_days"):
        op.add_column("workspace", sa.Column(column, sa.Integer(), nullable=True))
        op.create_check_constraint(op.f(f"ck_workspace_{column}_positive"), "workspace", f"{column} >= 1")
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(GUARDS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
