"""Notices for the tests of receivers, and a server whose TLS certificate nobody vouches for."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pytest_httpserver import HTTPServer

from monitor.model import Alert, Severity, State, Target
from monitor.notice import Notice
from tests.alerts import at, firing
from tests.conftest import absent


def notice(*news: Alert, standing: Sequence[Alert] = (), seconds: float = 60, receiver: str = "ops") -> Notice:
    """These are news, those stand; written so many seconds after noon."""
    return Notice(
        receiver=receiver,
        group="{}",
        labels={},
        alerts=(*standing, *news),
        news=frozenset(alert.finding.fingerprint for alert in news),
        created_at=at(seconds),
        key=f"{receiver}-{seconds}",
    )


def back(ended_by: str = "not seen any more", minutes: int = 12) -> Alert:
    """A target that was unreachable and is not any more."""
    alert = firing(severity=Severity.CRITICAL, rule="target.unreachable")
    away = replace(alert.finding, target=Target("shop"), title="A server cannot be reached", summary="no answer")
    return replace(alert, finding=away, state=State.RESOLVED, ends_at=at(60 * minutes), ended_by=ended_by)


@contextmanager
def untrusted(folder: Path) -> Iterator[HTTPServer]:
    """An HTTPS server on loopback with a certificate it signed itself."""
    if shutil.which("openssl") is None:
        absent("openssl is not installed")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(ssl_context=context) as server:
        yield server
