"""Plans are found by their scene, and scenes by the time at which their pixels were deleted.

Revision ID: 0048
Revises: 0047
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_plan_scene_id", "plan", ["scene_id"])
    op.create_index(
        "ix_scene_pixels_deleted",
        "scene",
        ["workspace_id", "pixels_deleted_at"],
        postgresql_where=sa.text("pixels_deleted_at IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
