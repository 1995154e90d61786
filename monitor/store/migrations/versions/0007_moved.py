"""Where an alert was found before a failover."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("moved_from", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("alerts", "moved_from")
