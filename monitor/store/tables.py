"""The tables of the store as SQLAlchemy sees them; migrations/versions makes them, a test keeps the two the same."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Dialect, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

# The newest revision in migrations/versions. Known here so that the daemon need not import Alembic.
HEAD = "0007"

metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """A UTC time to the microsecond. SQLite keeps no zone, so it is put on and taken off here.

    What is no time is read as None: one spoilt row must not hide the others.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], datetime | None] | None:
        exact = super().result_processor(dialect, coltype)

        def tolerant(value: object) -> datetime | None:
            try:
                return exact(value) if exact else None
            except (TypeError, ValueError, AttributeError):
                return None

        return tolerant


class Words(TypeDecorator[str]):
    """Any text, written in ASCII with escapes: a name may hold what a database refuses (NUL, half a pair)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("unicode_escape").decode("ascii")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        try:
            return None if value is None else value.encode("ascii").decode("unicode_escape")
        except (AttributeError, UnicodeError):  # not written by us
            return str(value)


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
    Column("source", Text, nullable=False),
    Column("finding", Text, nullable=False),
    Column("ack", Text),
    Column("ended_by", Words, nullable=False, server_default=""),
    Column("cure", Text),
    Column("labels", Text),
    Column("moved_from", Words, nullable=False, server_default=""),
)

# A group's name has any length, and an index of PostgreSQL has not: its mark (a digest) stands for it in the key.
told = Table(
    "told",
    metadata,
    Column("receiver", Words, primary_key=True),
    Column("group_mark", String(32), primary_key=True),
    Column("fingerprint", String(16), primary_key=True),
    Column("group_name", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("at", Moment, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Words, primary_key=True),
    Column("receiver", Words, nullable=False),
    Column("group_name", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("notice", Text, nullable=False),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(16), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("state", Words, nullable=False),
    Column("severity", Words, nullable=False),
    Column("why", Words, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Words, primary_key=True),
    Column("ends_at", Moment, nullable=False),
    Column("document", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("document", Text, nullable=False),
)

places = Table(
    "places",
    metadata,
    Column("receiver", Words, primary_key=True),
    Column("fingerprint", String(16), primary_key=True),
    Column("place", Words, nullable=False),
)

# A series is what one key of one probe's growth on one server did; its mark (a digest) stands for all three.
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mark", String(32), nullable=False, unique=True, index=True),
    Column("server", Words, nullable=False),
    Column("probe", Words, nullable=False),
    Column("key", Text, nullable=False),
    Column("first_hour", Integer, nullable=False),
    Column("last_hour", Integer, nullable=False),
)

# Hours since 1970, before the series: what is written together lies together, and so does what is forgotten together.
hours = Table(
    "hours",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("figures", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The mark (a digest) stands for target, database, probe and kind together; `of` is the server that was read, as JSON.
memories = Table(
    "memories",
    metadata,
    Column("mark", String(32), primary_key=True),
    Column("target", Words, nullable=False),
    Column("database", Words),
    Column("probe", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("of", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("kept_at", Moment, nullable=False),
)
