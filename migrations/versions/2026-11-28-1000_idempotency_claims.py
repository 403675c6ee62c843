"""A request that computes claims its idempotency key in a short transaction of its own.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_claim",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name=op.f("fk_idempotency_claim_workspace_id_workspace"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_idempotency_claim")),
    )
    # The grants of every table, and UPDATE of the one column that changes: a claim is renewed and ended.
    op.execute("REVOKE ALL ON idempotency_claim FROM PUBLIC, loupe_app")
    op.execute("GRANT SELECT ON idempotency_claim TO loupe_owner, loupe_app")
    op.execute("GRANT INSERT, UPDATE (claimed_until) ON idempotency_claim TO loupe_app")


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
