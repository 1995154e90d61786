"""The tables of the store as SQLAlchemy sees them; migrations/versions makes them, a test keeps the two the same."""

from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Dialect, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

# The newest revision in migrations/versions. Known here so that the daemon need not import Alembic.
HEAD = "0001"

metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """A UTC time to the microsecond. SQLite keeps no zone, so it is put on and taken off here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


alerts = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("fired_at", Moment),
    Column("ends_at", Moment),
    Column("lower_since", Moment),
    Column("occurrences", Integer, nullable=False),
    Column("announced", String(32), nullable=False),
    Column("source", Text, nullable=False),
    Column("finding", Text, nullable=False),
)
