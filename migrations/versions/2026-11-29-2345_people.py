"""A person whom an issuer knows has a key of their own, which no text opens.

Revision ID: 0040
Revises: 0039
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

EVIDENCE = Path(__file__).parent / "2026-11-29-2345_people.sql"


def upgrade() -> None:
    op.add_column("api_key", sa.Column("issuer", sa.String(), nullable=True))
    op.add_column("api_key", sa.Column("subject", sa.String(), nullable=True))
    op.add_column("api_key", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_key_person"),
        "api_key",
        "(issuer IS NULL) = (subject IS NULL) AND (claimed_at IS NULL OR subject IS NOT NULL)",
    )
    op.create_index(
        "ix_api_key_person",
        "api_key",
        ["issuer", "subject"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND subject IS NOT NULL"),
    )
    # Without parameters, so that the driver sends the script as it is.
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(EVIDENCE.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
