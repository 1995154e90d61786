"""How `monitor findings` finds the running daemon: its address, how one signs in, and which certificate is trusted."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.client import Door
from monitor.errors import UsageError
from monitor.model import Secret

if TYPE_CHECKING:
    from monitor.config.model import Web

DEFAULT_URL = "http://127.0.0.1:9779"
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens everywhere answers here
_HASH = "$2"
_CERTIFICATE_END = "-----END CERTIFICATE-----"


@dataclass(frozen=True, kw_only=True)
class Way:
    """The options of the commands; a token or password comes from the environment alone."""

    url: str | None = None
    config: Path | None = None
    user: str = ""
    ca_file: Path | None = None
    cert: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What a configuration says of the daemon's door."""

    url: str = DEFAULT_URL
    basic_auth: Mapping[str, Secret] = field(default_factory=dict)
    tokens: Sequence[Secret] = ()
    cert_file: Path | None = None

    @property
    def users(self) -> Mapping[str, Secret]:
        """Give the users whose password stands there itself, not hashed."""
        return {user: word for user, word in self.basic_auth.items() if not word.reveal().startswith(_HASH)}


def door(way: Way, environ: Mapping[str, str]) -> Door:
    """Put together options, environment and configuration, in this order; raises UsageError or ConfigErrors."""
    known = configured(way.config, environ) if way.config else Listening()
    url = way.url or environ.get("PGARCHITECT_URL") or known.url
    token, user, password = _signing_in(way.user, environ, known)
    pinned = known.cert_file if url == known.url else None
    return Door(url=url, token=token, user=user, password=password, tls=_tls(url, way, pinned))


def configured(config: Path, environ: Mapping[str, str]) -> Listening:
    """Read where a configuration's daemon listens, and who may sign in there."""
    # Reading one needs the whole catalogue, which takes longer than everything else here.
    from monitor.config.load import load_config  # noqa: PLC0415
    from monitor.whole import whole_catalog  # noqa: PLC0415

    return listening(load_config(config, whole_catalog(), environ).web, config.parent)


def listening(web: Web, folder: Path) -> Listening:
    """Give the address that the daemon can be asked under on its own machine."""
    if web.port == 0:
        raise UsageError("web.listen lets the system choose a port; name the daemon by --url")
    host = _ANY.get(web.host, web.host)
    address = f"[{host}]" if ":" in host else host
    return Listening(
        url=f"{'https' if web.tls else 'http'}://{address}:{web.port}",
        basic_auth=web.basic_auth,
        tokens=web.tokens,
        cert_file=folder / web.tls.cert_file if web.tls else None,
    )


def _signing_in(user: str, environ: Mapping[str, str], known: Listening) -> tuple[Secret | None, str, Secret | None]:
    """Give a token, or a user with a password."""
    word = environ.get("PGARCHITECT_PASSWORD")
    if user:
        return None, user, Secret(word) if word else known.users.get(user)
    if environ.get("PGARCHITECT_TOKEN"):
        return Secret(environ["PGARCHITECT_TOKEN"]), "", None
    if known.tokens:
        return known.tokens[0], "", None
    name = next(iter(known.users), "")
    return None, name, known.users.get(name)


def _tls(url: str, way: Way, pinned: Path | None) -> ssl.SSLContext | None:
    if not url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    _load(context, way, pinned)
    return context


def _load(context: ssl.SSLContext, way: Way, pinned: Path | None) -> None:
    """Trust an authority, or, of our own machine's daemon, the very certificate its configuration names."""
    file = way.ca_file or pinned
    try:
        if way.ca_file is not None:
            context.load_verify_locations(way.ca_file)
        elif pinned is not None:
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            first, end, _ = pinned.read_text(encoding="utf-8").partition(_CERTIFICATE_END)
            context.load_verify_locations(cadata=first + end)
        file = way.cert or file
        if way.cert is not None:
            context.load_cert_chain(way.cert, password=_no_passphrase)
    except (OSError, ValueError):  # ssl's errors are OSErrors
        raise UsageError(f"{file}: cannot be read as a certificate in PEM form") from None


def _no_passphrase() -> str:
    raise UsageError("--cert: the key is encrypted; write it without a passphrase: openssl pkey -in … -out …")
