"""Connection strings: URL, keywords, environment; wrong ones are told without being echoed."""

import pytest

from monitor.dsn import read_dsn
from monitor.errors import UsageError

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    ("text", "address", "user", "database"),
    [
        ("postgresql://ann@db.example:6000/shop", "db.example:6000", "ann", "shop"),
        ("postgres://db.example", "db.example:5432", None, None),
        ("host=db.example port=6000 user=ann dbname=shop", "db.example:6000", "ann", "shop"),
        ("host=/run/postgresql dbname='my shop'", "/run/postgresql:5432", None, "my shop"),
        (r"dbname='it\'s' user=o\'neil", "localhost:5432", "o'neil", "it's"),
        ("postgresql:///shop?host=/run/pg&port=6001", "/run/pg:6001", None, "shop"),
        ("postgresql://a%40b@h/db%20x", "h:5432", "a@b", "db x"),
    ],
)
def test_both_forms_are_read(text: str, address: str, user: str | None, database: str | None) -> None:
    """What a report may show of a DSN."""
    dsn = read_dsn(text, {})
    assert (dsn.address, dsn.user, dsn.database) == (address, user, database)


def test_the_environment_fills_what_is_missing() -> None:
    """As libpq does."""
    dsn = read_dsn("dbname=shop", {"PGHOST": "db", "PGPORT": "6000", "PGUSER": "ann"})
    assert (dsn.address, dsn.user) == ("db:6000", "ann")


def test_a_dsn_may_be_named() -> None:
    """`env:NAME` keeps a password off the command line."""
    assert read_dsn("env:SHOP", {"SHOP": f"postgresql://ann:{CANARY}@db/shop"}).has_password
    with pytest.raises(UsageError, match="has no SHOP"):
        read_dsn("env:SHOP", {})


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ann:{CANARY}@db:port/shop",
        f"postgresql://ann:{CANARY}@[::1/shop",
        f"ann:{CANARY}@db/shop",
        f"password={CANARY} port=many",
        f"password='{CANARY}",
        "",
    ],
)
def test_a_wrong_one_is_never_echoed(text: str) -> None:
    """One clear line, without the secret in it."""
    with pytest.raises(UsageError) as raised:
        read_dsn(text, {})
    assert "DSN" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_the_url_is_a_secret() -> None:
    """Neither repr nor str shows it."""
    dsn = read_dsn(f"password={CANARY} host=db", {})
    assert CANARY not in repr(dsn)
    assert CANARY in dsn.url.reveal()


@pytest.mark.parametrize("text", ["postgresql://ann@db/shop?{}", "host=db user=ann dbname=shop {}"])
def test_what_only_other_drivers_know_is_left_away(text: str) -> None:
    """An application's own DSN works as it is: Prisma's and libpq's extras are no server settings."""
    extras = ["connect_timeout=5", "application_name=api", "sslmode=require"]
    if "?" in text:
        extras += ["pgbouncer=true", "schema=public"]
    dsn = read_dsn(text.format("&".join(extras) if "?" in text else " ".join(extras)), {})
    assert "sslmode=require" in dsn.url.reveal()
    assert not any(word in dsn.url.reveal() for word in ("pgbouncer", "schema", "connect_timeout", "application"))


def test_without_a_database_the_server_is_entered_by_postgres() -> None:
    """The habit of libpq, of a database named like the user, helps nobody here; a service file may name one."""
    assert read_dsn("postgresql://ann@db", {}).home == "postgres"
    assert read_dsn("host=db", {"PGDATABASE": "shop"}).home == "shop"
    assert read_dsn("service=shop", {}).home is None
