"""TLS as in Prometheus' web configuration: which certificate we show, and whose we want to see."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from monitor.errors import MonitorError

CLIENT_AUTH: Final[Mapping[str, ssl.VerifyMode]] = MappingProxyType(
    {
        "NoClientCert": ssl.CERT_NONE,
        "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
        "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
    }
)
"""Prometheus' words. Its two others take certificates without verifying them, which we do not do."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The files of `web.tls`; with `client_ca_file` and nothing else said, clients must show a certificate."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth_type: str | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files, TLS 1.2 and later; raises MonitorError that names the key that is wrong."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._show(context)
        verify = self._verify()
        if self.client_ca_file is not None:
            _trust(context, "client_ca_file", self.client_ca_file)
        context.verify_mode = verify
        return context

    def renew(self, context: ssl.SSLContext) -> None:
        """Show the certificate anew that lies there now, without a restart; with a bad one the old stays in use."""
        self.context()
        self._show(context)

    def _show(self, context: ssl.SSLContext) -> None:
        _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "cert_file", self.cert_file)
        _check_readable("key_file", self.key_file)
        try:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_passphrase)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise _wrong("key_file", self.key_file, "does not fit the certificate of cert_file") from None
            raise _wrong("key_file", self.key_file, "holds no private key in PEM form") from None

    def _verify(self) -> ssl.VerifyMode:
        wanted = self.client_auth_type or (
            "NoClientCert" if self.client_ca_file is None else "RequireAndVerifyClientCert"
        )
        if wanted not in CLIENT_AUTH:
            raise MonitorError(f"web.tls.client_auth_type: should be one of {', '.join(CLIENT_AUTH)}")
        if CLIENT_AUTH[wanted] is not ssl.CERT_NONE and self.client_ca_file is None:
            raise MonitorError(f"web.tls.client_ca_file: {wanted} needs the authority that signs clients' certificates")
        return CLIENT_AUTH[wanted]


def _trust(context: ssl.SSLContext, key: str, path: Path) -> None:
    _check_readable(key, path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise _wrong(key, path, "holds no certificate in PEM form") from None


def _check_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise _wrong(key, path, f"cannot be read ({error.strerror})") from None


def _wrong(key: str, path: Path, problem: str) -> MonitorError:
    return MonitorError(f"web.tls.{key}: {path}: {problem}")


def _no_passphrase() -> str:
    """Stand in for OpenSSL's question on the terminal."""
    raise MonitorError(
        "web.tls.key_file: the key is encrypted; write it without a passphrase: openssl pkey -in … -out …"
    )
