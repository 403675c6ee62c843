"""Plans are found by any text that they hold without reading all of them.

Building the indexes takes about a minute for 100,000 plans, in which no plan can be added.

Revision ID: 0047
Revises: 0046
"""

from pathlib import Path

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

SEARCH = Path(__file__).parent / "2026-11-30-0930_text_search.sql"


def upgrade() -> None:
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(SEARCH.read_text())


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
