"""Logging: no secret gets out, whoever logs it and wherever in the line it stands."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import NoReturn

import pytest
import structlog

from monitor.log import configure, redacted
from monitor.model import Secret

CANARY = "c4n4ry"
LEAKS = (
    f"postgresql://monitor:{CANARY}@db:5432/shop",
    f"postgres://monitor:{CANARY}@p/w:d#{CANARY}@db/shop is down",
    f"postgresql://monitor:{CANARY} with blanks {CANARY}@db/shop",
    f"postgresql+asyncpg://u:{CANARY}@h/d",
    f"https://user:{CANARY}@proxy.example.com/path",
    f"could not read host=db password={CANARY} user=x",
    f"host=db password = '{CANARY} it\\'s {CANARY}' user=x",
    f"postgresql:///shop?host=db&password={CANARY}&user=x",
    f"postgresql:///shop?sslpassword={CANARY}",
    f"PGPASSWORD={CANARY}",
    f"{{'password': '{CANARY}', 'user': 'x'}}",
    f'{{"token": "{CANARY}"}}',
    f"alter role x password '{CANARY}'",
    f"create role x login password E'{CANARY}\\'{CANARY}'",
    f"https://hooks.slack.com/services/T000/B000/{CANARY}",
    f"http://127.0.0.1:8080/services/T000/B000/{CANARY}",
    repr(f"alter role x password '{CANARY} \"{CANARY}'"),
    repr({"error": f"password = '{CANARY}\\'{CANARY}'"}),
    f"xoxb-123-{CANARY}",
    f"Authorization: Bearer {CANARY}.x.y",
)


def fail(message: str) -> NoReturn:
    raise ConnectionError(message) from ValueError(message)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(format: str = "json", level: str = "info") -> io.StringIO:  # noqa: A002 - the key's name
    stream = io.StringIO()
    configure(format, level, stream)
    return stream


@pytest.mark.parametrize("leak", LEAKS)
def test_a_secret_inside_a_text_is_blotted_out(leak: str) -> None:
    assert CANARY not in redacted(leak)


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "monitor"',
        "http://127.0.0.1:9779/metrics",
        "no such token",
        "select pg_drop_replication_slot('left_behind')",
        "shop/shop: auth_links: not evaluated",
    ],
)
def test_what_holds_no_secret_stays_readable(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("leak", LEAKS)
def test_no_canary_comes_through_any_field(format: str, leak: str) -> None:  # noqa: A002 - the key's name
    stream = logged(format)
    log = structlog.get_logger().bind(target=leak)
    log.info(leak, field=leak, nested={"a": [leak, {leak: leak}], "password": CANARY}, pair=(leak,))
    log.info("keys", dsn=CANARY, webhook=CANARY, api_key=CANARY, db_password=CANARY, SECRET=CANARY, kept=Secret(CANARY))
    log.info("objects", error=ValueError(leak), raw=leak.encode())
    assert CANARY not in stream.getvalue()
    assert "keys" in stream.getvalue()


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("leak", LEAKS)
def test_exceptions_are_rendered_without_the_secret(format: str, leak: str) -> None:  # noqa: A002 - the key's name
    stream = logged(format)
    try:
        fail(leak)
    except ConnectionError:
        structlog.get_logger().exception("it broke")
        logging.getLogger("third.party").exception("it broke, too")
    assert CANARY not in stream.getvalue()
    assert stream.getvalue().count("ConnectionError") >= 2


def test_locals_are_not_shown_with_an_exception() -> None:
    stream = logged("console")
    hidden = CANARY.upper()
    try:
        fail(f"{len(hidden)} characters")
    except ConnectionError:
        structlog.get_logger().exception("it broke")
    assert hidden not in stream.getvalue()


def test_third_parties_take_the_same_way() -> None:
    stream = logged()
    logging.getLogger("aiohttp").warning("cannot reach %s", LEAKS[0])
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == (
        "cannot reach postgresql://***@db:5432/shop",
        "aiohttp",
        "warning",
    )


def test_a_json_line_has_event_level_time_and_fields() -> None:
    stream = logged()
    structlog.get_logger().info("server is up", target="shop", seconds=1.5, ok=True, nothing=None)
    line = json.loads(stream.getvalue())
    assert re.match(r"\d{4}-\d\d-\d\dT.*Z\Z", line.pop("timestamp"))
    assert line == {
        "event": "server is up", "level": "info", "target": "shop", "seconds": 1.5, "ok": True, "nothing": None,
    }  # fmt: skip


def test_the_level_is_kept() -> None:
    stream = logged(level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_setting_up_twice_says_everything_once() -> None:
    logged()
    stream = logged()
    logging.getLogger("third.party").error("once")
    assert stream.getvalue().count("once") == 1
