"""What probes remember: a document a row, and the server that it is about."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "memories",
        sa.Column("mark", sa.String(32), primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("database", sa.Text),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("of", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("memories")
