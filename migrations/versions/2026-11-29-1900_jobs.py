"""Jobs: requests whose work is done after their answer.

Revision ID: 0032
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0032"
down_revision = "0034"
branch_labels = None
depends_on = None

CHANGING = (
    "status, attempts, cancel_requested, tiles_done, tiles, progress_at, result, problem, started_at, "
    "finished_at"
)


def _references(column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_job_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="RESTRICT")


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_job_{name}"))


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("upload_sha256", sa.String(), nullable=True),
        sa.Column("queue_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tiles_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tiles", sa.Integer(), nullable=True),
        sa.Column("progress_at", moment, nullable=True),
        sa.Column("result", JSONB(), nullable=True),
        sa.Column("problem", JSONB(), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", moment, nullable=True),
        sa.Column("finished_at", moment, nullable=True),
        _check("status_known", "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')"),
        _check("finished", "(finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled'))"),
        _check("result_of_success", "(result IS NOT NULL) = (status = 'succeeded')"),
        _check("problem_of_failure", "(problem IS NOT NULL) = (status = 'failed')"),
        _references("workspace_id", "workspace"),
        _references("key_id", "api_key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_workspace_created", "job", ["workspace_id", "created_at", "id"])
    op.create_index(
        "ix_job_unfinished", "job", ["workspace_id"], postgresql_where=sa.text("finished_at IS NULL")
    )
    op.execute("REVOKE ALL ON job FROM PUBLIC, loupe_app")
    op.execute("GRANT SELECT ON job TO loupe_owner, loupe_app")
    op.execute(f"GRANT INSERT, UPDATE ({CHANGING}) ON job TO loupe_app")


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
