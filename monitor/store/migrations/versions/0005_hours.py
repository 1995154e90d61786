"""What counters did, hour by hour: names of series, and their hours."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("first_hour", sa.Integer, nullable=False),
        sa.Column("last_hour", sa.Integer, nullable=False),
    )
    op.create_index("ix_series_mark", "series", ["mark"], unique=True)
    op.create_table(
        "hours",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("figures", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("hours")
    op.drop_table("series")
