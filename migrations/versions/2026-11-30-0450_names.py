"""A plan has a name, an external id and tags beside it, and an order a name and an external id.

Revision ID: 0043
Revises: 0042
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

GRANTS = Path(__file__).parent / "2026-11-30-0450_names.sql"


def upgrade() -> None:
    op.create_table(
        "plan_naming",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("tags", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_plan_naming_name_length")),
        sa.CheckConstraint(
            "length(external_id) BETWEEN 1 AND 200", name=op.f("ck_plan_naming_external_id_length")
        ),
        sa.CheckConstraint("jsonb_typeof(tags) = 'object'", name=op.f("ck_plan_naming_tags_object")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_plan_naming_plan_id_plan"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name=op.f("fk_plan_naming_workspace_id_workspace"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan_naming")),
    )
    op.create_index("ix_plan_naming_tags", "plan_naming", ["tags"], postgresql_using="gin")
    for column in ("name", "external_id"):
        op.add_column("order", sa.Column(column, sa.String(), nullable=True))
        op.create_check_constraint(
            op.f(f"ck_order_{column}_length"), "order", f"length({column}) BETWEEN 1 AND 200"
        )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(GRANTS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
