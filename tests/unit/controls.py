"""A small daemon's desk that can be changed, and the door before it on a loopback port; certificates by openssl."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import StoreError
from monitor.expose.credentials import Credentials
from monitor.expose.events import Pace
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.expose.tls import Tls
from monitor.findings.matchers import parse_matcher
from monitor.status import Part
from tests.unit.shelf import NOW, RULES, Pile, Told


@dataclass
class Ledger:
    """Implements status.Controls over a few fingerprints; `audit` is what the daemon would write down."""

    fingerprints: set[str] = field(default_factory=set)
    acks: dict[str, str] = field(default_factory=dict)
    silenced: dict[str, Mapping[str, object]] = field(default_factory=dict)
    audit: list[tuple[str, ...]] = field(default_factory=list)
    letters: Sequence[Mapping[str, object]] = ()
    broken: str = ""

    async def ack(self, fingerprint: str, author: str, comment: str) -> bool:
        if fingerprint not in self.fingerprints:
            return False
        self.acks[fingerprint] = comment
        self.audit.append(("ack", fingerprint, author, comment))
        return True

    async def unack(self, fingerprint: str, author: str) -> bool:
        self.audit.append(("unack", fingerprint, author))
        return self.acks.pop(fingerprint, None) is not None

    def silences(self) -> Sequence[Mapping[str, object]]:
        return list(self.silenced.values())

    async def silence(self, document: Mapping[str, object], author: str) -> Mapping[str, object]:
        matchers = document["matchers"]
        assert isinstance(matchers, list)
        made = {
            **document,
            "id": f"silence-{len(self.silenced) + 1}",
            "matchers": [str(parse_matcher(each)) for each in matchers],
            "author": author,
        }
        self.silenced[str(made["id"])] = made
        self.audit.append(("silence", str(made["id"]), author))
        return made

    async def unsilence(self, silence_id: str, author: str) -> bool:
        self.audit.append(("unsilence", silence_id, author))
        return self.silenced.pop(silence_id, None) is not None

    async def audited(self, begin: int, count: int) -> Part:
        at = NOW.isoformat()
        lines = [
            {"at": at, "who": line[-1], "action": line[0], "document": {"comment": line[1]}}
            for line in reversed(self.audit)
        ]
        return self._part(lines, begin, count)

    async def dead_letters(self, begin: int, count: int) -> Part:
        return self._part(self.letters, begin, count)

    def _part(self, lines: Sequence[Mapping[str, object]], begin: int, count: int) -> Part:
        if self.broken:
            raise StoreError(self.broken)
        return Part(entries=lines[begin : begin + count], total=len(lines))

    async def reload(self, author: str) -> str:
        self.audit.append(("reload", author))
        return self.broken


@asynccontextmanager
async def serving(
    pile: Pile,
    controls: Ledger | None,
    *,
    credentials: Credentials | None = None,
    tls: Tls | None = None,
    external_url: str | None = None,
    host: str = "127.0.0.1",
    told: Told | None = None,
    pace: Pace | None = None,
) -> AsyncIterator[Web]:
    """Open a door on a free port."""
    exposition = Exposition()
    own = Own(pile, exposition.left_away)
    site = Site(
        shelf=pile,
        handling=told or Told(),
        exposition=exposition,
        own=own,
        rules=RULES,
        clock=lambda: NOW,
        controls=controls,
        pace=pace or Pace(),
    )
    web = Web(site, host=host, port=0, external_url=external_url, credentials=credentials, tls=tls)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()


def certificate(folder: Path, name: str = "server", host: str = "localhost") -> Tls:
    """Write a new self-signed certificate with its key."""
    folder.mkdir(exist_ok=True)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout", str(key), "-out", str(cert),
    )  # fmt: skip
    return Tls(cert_file=cert, key_file=key)


def lock_up(key: Path) -> None:
    """Encrypt a key."""
    _openssl("ec", "-in", str(key), "-aes256", "-passout", "pass:c4n4ry", "-out", str(key))


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True)
