"""Checks libpq connection strings, URLs and `keyword=value` texts, and says what is wrong without showing them."""

import difflib
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

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
