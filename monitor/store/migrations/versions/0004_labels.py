"""The labels an alert had when it was stored: its server may be gone from the configuration when it ends."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("labels", sa.Text))


def downgrade() -> None:
    op.drop_column("alerts", "labels")
