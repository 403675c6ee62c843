"""Approval can be lent until a date, and a budget beside one with `approval_above` opens with none to spare.

Revision ID: 0030
Revises: 0033
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0033"
branch_labels = None
depends_on = None

DELEGATIONS = Path(__file__).parent / "2026-11-29-1930_delegations.sql"


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("lender", sa.String(), nullable=False),
        sa.Column("borrower", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.CheckConstraint("lender <> borrower", name=op.f("ck_delegation_two_holders")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name=op.f("fk_delegation_workspace_id_workspace"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_delegation_key_id_api_key"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegation")),
    )
    op.create_index("ix_delegation_borrower", "delegation", ["workspace_id", "borrower", "created_at"])
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(DELEGATIONS.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
