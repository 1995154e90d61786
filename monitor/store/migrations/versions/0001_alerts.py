"""The ledger's alerts."""

import sqlalchemy as sa
from alembic import op

from monitor.store.tables import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("last_seen", Moment, nullable=False),
        sa.Column("fired_at", Moment),
        sa.Column("ends_at", Moment),
        sa.Column("lower_since", Moment),
        sa.Column("occurrences", sa.Integer, nullable=False),
        sa.Column("announced", sa.String(32), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("finding", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("alerts")
