"""Connection strings: a libpq URL or keyword string, read without ever being echoed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from monitor.errors import UsageError
from monitor.model import Secret

_PAIR = re.compile(r"\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)\s*")
_KNOWN = frozenset(
    {
        "host", "port", "user", "password", "passfile", "dbname", "database", "service", "servicefile", "sslmode",
        "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version",
        "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib",
    }
)  # fmt: skip
"""What the driver understands. The rest (`pgbouncer=true`, `connect_timeout` …) it would send as a server setting."""
_HINT = "write postgresql://USER@HOST:PORT/DATABASE or host=… port=… user=… dbname=…"


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
    if text.startswith(("postgresql://", "postgres://")):
        return _from_url(text, environ)
    return _from_keywords(text, environ)


def _from_url(text: str, environ: Mapping[str, str]) -> Dsn:
    try:
        parts = urlsplit(text)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"DSN: not a connection URL (a port or character is wrong); {_HINT}") from None
    kept = urlencode({key: value for key, value in query.items() if key in _KNOWN})
    return Dsn(
        url=Secret(urlunsplit(parts._replace(query=kept, fragment=""))),
        host=query.get("host") or unquote(host or "") or environ.get("PGHOST", "localhost"),
        port=int(query.get("port") or port or environ.get("PGPORT", "5432")),
        user=query.get("user") or unquote(parts.username or "") or environ.get("PGUSER"),
        database=query.get("dbname") or unquote(parts.path.lstrip("/")) or environ.get("PGDATABASE"),
        service=query.get("service") or environ.get("PGSERVICE"),
        has_password=bool(parts.password or query.get("password")),
    )


def _from_keywords(text: str, environ: Mapping[str, str]) -> Dsn:
    pairs: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _PAIR.match(text, place)
        if match is None or match.end() == place:
            raise UsageError(f"DSN: neither a URL nor a keyword string; {_HINT}")
        value = match[2][1:-1] if match[2].startswith("'") else match[2]
        pairs[match[1]] = re.sub(r"\\(.)", r"\1", value)
        place = match.end()
    if not pairs:
        raise UsageError(f"DSN: it is empty; {_HINT}")
    query = {key: value for key, value in pairs.items() if key in _KNOWN}
    return Dsn(
        url=Secret("postgresql:///?" + urlencode(query)),
        host=pairs.get("host") or environ.get("PGHOST", "localhost"),
        port=_port(pairs.get("port") or environ.get("PGPORT", "5432")),
        user=pairs.get("user") or environ.get("PGUSER"),
        database=pairs.get("dbname") or environ.get("PGDATABASE"),
        service=pairs.get("service") or environ.get("PGSERVICE"),
        has_password="password" in pairs,
    )


def _port(text: str) -> int:
    if not text.isdigit():
        raise UsageError("DSN: the port is not a number; write port=5432")
    return int(text)
