"""Databases with amounts in currencies whose decimals changed are refused, because they would be misread.

Version 0.2.0 kept every amount in CLF, UYI and UYW with two decimals, and later versions keep those of
ISO 4217: four, none and four. Rows of the ledger never change, so they cannot be converted.

Revision ID: 0012
Revises: 0011
"""

from alembic import op
from alembic.util import CommandError
from sqlalchemy import text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COUNTED = text("""
    SELECT currency, sum(budgets) AS budgets, sum(plans) AS plans FROM (
        SELECT currency, count(*) AS budgets, 0 AS plans FROM ledger.budget GROUP BY currency
        UNION ALL SELECT currency, 0, count(*) FROM public.plan GROUP BY currency
    ) AS found WHERE currency IN ('CLF', 'UYI', 'UYW') GROUP BY currency ORDER BY currency
""")


def upgrade() -> None:
    found = op.get_bind().execute(COUNTED).all()
    if not found:
        return
    rows = "; ".join(f"{row.currency}: budgets {row.budgets}, plans {row.plans}" for row in found)
    raise CommandError(
        f"The database holds amounts in currencies whose decimals changed ({rows}). Version 0.2.0 kept them "
        "with two decimals, and this version would read them wrongly. Nothing was changed. Go on with these "
        "budgets in version 0.2.0 until their orders have ended, and keep their entries with `loupe ledger "
        "--csv`. Start this version with a new database: another LOUPE_HOME or LOUPE_DATABASE_URL."
    )


def downgrade() -> None:
    raise NotImplementedError("A migration is never undone. Restore a backup.")
