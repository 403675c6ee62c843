"""A scene is found by its bytes, and planned savings are added up, without reading all rows of a workspace.

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_scene_workspace_sha256", "scene", ["workspace_id", "sha256"])
    op.drop_index("ix_scene_workspace_id", "scene")
    op.drop_index("ix_plan_workspace_created", "plan")
    op.create_index(
        "ix_plan_workspace_created",
        "plan",
        ["workspace_id", "created_at", "id"],
        postgresql_include=["currency", "billable_saving_minor", "patches_bought"],
    )
    for column in ("supersedes", "follows"):  # few plans have either
        op.drop_index(f"ix_plan_{column}", "plan")
        op.create_index(
            f"ix_plan_{column}", "plan", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
