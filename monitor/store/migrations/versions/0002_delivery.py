"""Who was told what, what waits to be sent, how alerts went, silences, the audit log, and where messages stand."""

import sqlalchemy as sa
from alembic import op

from monitor.store.tables import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("ack", sa.Text))
    op.add_column("alerts", sa.Column("ended_by", sa.Text, nullable=False, server_default=""))
    op.drop_column("alerts", "announced")
    _delivery()
    _records()


def _delivery() -> None:
    op.create_table(
        "told",
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("group_mark", sa.String(32), primary_key=True),
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("group_name", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_name", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("notice", sa.Text, nullable=False),
    )
    op.create_table(
        "places",
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
    )


def _records() -> None:
    op.create_table(
        "transitions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_index("ix_transitions_fingerprint", "transitions", ["fingerprint"])
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ends_at", Moment, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def downgrade() -> None:
    for table in ("audit", "silences", "transitions", "places", "outbox", "told"):
        op.drop_table(table)
    op.add_column("alerts", sa.Column("announced", sa.String(32), nullable=False, server_default=""))
    op.drop_column("alerts", "ended_by")
    op.drop_column("alerts", "ack")
