"""Connection strings as libpq knows them, URLs and `keyword=value` texts: checked and read without being shown."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from monitor.errors import UsageError
from monitor.model import Secret

KEYWORDS = re.findall(
    r"\w+",
    "application_name channel_binding client_encoding connect_timeout dbname fallback_application_name gssdelegation "
    "gssencmode gsslib host hostaddr keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname "
    "load_balance_hosts options passfile password port replication require_auth requirepeer service servicefile "
    "ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey "
    "sslmode sslnegotiation sslpassword sslrootcert sslsni target_session_attrs tcp_user_timeout user",
)
_ESCAPES = "write / ? # @ : % and blanks in a password as %2F %3F %23 %40 %3A %25 %20"
_URL = re.compile(r"postgres(ql)?://")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_PAIR = re.compile(r"\s*([A-Za-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|\Z)", re.DOTALL)
_HIGHEST_PORT = 65535
_KNOWN = frozenset(
    {
        "host", "port", "user", "password", "passfile", "dbname", "database", "service", "servicefile", "sslmode",
        "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version",
        "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib",
    }
)  # fmt: skip
"""What the driver understands. The rest (`pgbouncer=true`, `connect_timeout` …) it would send as a server setting."""


class BadDsn(ValueError):
    """A connection string that libpq would refuse; the message shows nothing of it."""


def check_dsn(text: str) -> None:
    """Check the syntax of a URL or keyword string; raises BadDsn."""
    if not text.strip():
        raise BadDsn("is empty; write postgresql://USER@HOST:PORT/DATABASE")
    if _URL.match(text):
        _check_url(text)
    elif "://" in text.split("=", 1)[0]:
        raise BadDsn("is not a PostgreSQL URL; it begins with postgresql://")
    else:
        keywords = _keywords(text)
        _check_port(keywords.get("port", ""))
        _check_alone(keywords.get("host", ""))


def _keywords(text: str) -> Mapping[str, str]:
    """Split `host=… port=…` as libpq does; raises BadDsn."""
    found: dict[str, str] = {}
    at = 0
    while text[at:].strip():
        pair = _PAIR.match(text, at)
        if pair is None:
            raise BadDsn("is neither a postgresql:// URL nor `keyword=value …`; quote values with blanks: '…'")
        found[pair[1]] = _unquoted(pair[2])
        at = pair.end()
    for name in found.keys() - set(KEYWORDS):
        close = difflib.get_close_matches(name, KEYWORDS, 1)
        raise BadDsn("has a keyword that libpq does not know" + (f"; did you mean {close[0]}?" if close else ""))
    return found


def _unquoted(value: str) -> str:
    inner = value[1:-1] if value.startswith("'") else value
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)


def _check_url(text: str) -> None:
    if re.search(r"\s", text):
        raise BadDsn(f"has a blank or a line break; {_ESCAPES}")
    if _BAD_PERCENT.search(text):
        raise BadDsn(f"has a % without two hex digits after it; {_ESCAPES}")
    try:
        parts = urlsplit(text)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise BadDsn(f"has a host or parameters that cannot be read; {_ESCAPES}") from None
    if parts.fragment or parts.netloc.count("@") > 1:
        raise BadDsn(f"has a # or a second @; {_ESCAPES}")
    host = parts.netloc.rpartition("@")[2]
    _check_alone(host)
    _check_port(re.sub(r"\A(\[[^\]]*\]|[^:]*):?", "", host))


def _check_alone(hosts: str) -> None:
    if "," in hosts:
        raise BadDsn("names several hosts; make each of them a target of its own")


def _check_port(port: str) -> None:
    if port and not (port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        raise BadDsn(f"has a port that is no number from 1 to 65535; {_ESCAPES}")


@dataclass(frozen=True, kw_only=True)
class Dsn:
    """A connection string, read: what may be shown, and the URL that may not."""

    url: Secret
    host: str
    port: int
    user: str | None
    database: str | None
    service: str | None
    has_password: bool

    @property
    def home(self) -> str | None:
        """Give the database to connect to first; None where a service file names it."""
        return self.database or (None if self.service else "postgres")

    @property
    def address(self) -> str:
        """Give `host:port`, the name a target of the command line goes by."""
        return f"{self.host}:{self.port}"


def read_dsn(text: str, environ: Mapping[str, str] = os.environ) -> Dsn:
    """Read a URL, a keyword string, or `env:NAME`; raises UsageError, which never holds the text."""
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not environ.get(name):
            raise UsageError(f"--dsn env:{name}: the environment has no {name}; export it first")
        return read_dsn(environ[name], environ)
    try:
        check_dsn(text)
    except BadDsn as error:
        raise UsageError(f"DSN: it {error}") from None
    return _from_url(text, environ) if _URL.match(text) else _from_keywords(text, environ)


def _from_url(text: str, environ: Mapping[str, str]) -> Dsn:
    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    kept = urlencode({key: value for key, value in query.items() if key in _KNOWN})
    named = {
        "host": unquote(parts.hostname or ""),
        "port": str(parts.port or ""),
        "user": unquote(parts.username or ""),
        "password": parts.password or "",
        "dbname": unquote(parts.path.lstrip("/")),
    }
    return _dsn(urlunsplit(parts._replace(query=kept)), {**named, **query}, environ)


def _from_keywords(text: str, environ: Mapping[str, str]) -> Dsn:
    pairs = _keywords(text)
    query = {key: value for key, value in pairs.items() if key in _KNOWN}
    return _dsn("postgresql:///?" + urlencode(query), pairs, environ)


def _dsn(url: str, given: Mapping[str, str], environ: Mapping[str, str]) -> Dsn:
    """Fill what is not given from the environment, as libpq does."""
    return Dsn(
        url=Secret(url),
        host=given.get("host") or environ.get("PGHOST", "localhost"),
        port=int(given.get("port") or environ.get("PGPORT", "5432")),
        user=given.get("user") or environ.get("PGUSER"),
        database=given.get("dbname") or environ.get("PGDATABASE"),
        service=given.get("service") or environ.get("PGSERVICE"),
        has_password=bool(given.get("password")),
    )
