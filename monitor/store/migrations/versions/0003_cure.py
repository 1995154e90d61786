"""What the remedy of an alert did: its sign, the number before, and the outcome, as one document."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("cure", sa.Text))


def downgrade() -> None:
    op.drop_column("alerts", "cure")
