"""True labels of tiles, which users give for an order.

Revision ID: 0021
Revises: 0020
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TRUE_LABELS = Path(__file__).parent / "2026-11-29-1330_true_labels.sql"


def _references(column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_true_labels_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="RESTRICT")


def upgrade() -> None:
    op.create_table(
        "true_labels",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("labels", JSONB(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("jsonb_typeof(labels) = 'array'", name=op.f("ck_true_labels_labels_array")),
        _references("order_id", "order"),
        _references("workspace_id", "workspace"),
        _references("key_id", "api_key"),
        sa.PrimaryKeyConstraint("order_id", "version", name=op.f("pk_true_labels")),
    )
    op.create_index("ix_true_labels_workspace", "true_labels", ["workspace_id"])
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(TRUE_LABELS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
