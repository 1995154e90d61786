"""Our own API over HTTP: what a running daemon knows, and what people change in it. Every call has a deadline."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeGuard
from urllib.parse import quote

import aiohttp
from yarl import URL

from monitor.errors import MonitorError, UsageError
from monitor.model import Secret

Document: TypeAlias = Mapping[str, Any]

SECONDS = 30.0
"""What one call may take."""
CONNECT_SECONDS = 5.0
PAGE = 500
TOKEN = "X-Pgarchitect-Token"  # noqa: S105 - a header's name
SHOWN = 5
"""Names that are told where a beginning fits several."""

_NOT_OURS = "what answers there is no pgarchitect daemon"


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a daemon is, and with what one gets in; a token goes before a password."""

    url: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    tls: ssl.SSLContext | None = None
    """None: as the system trusts."""

    def __post_init__(self) -> None:
        """Refuse what is no address, or holds a password; raises UsageError."""
        try:
            url = URL(self.url)
        except ValueError:
            raise UsageError("--url: cannot be read as a URL") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise UsageError("--url: should begin with http:// or https:// and name a host")
        if url.user or url.password:
            raise UsageError("--url: no user or password in it; give --user, and the password in PGARCHITECT_PASSWORD")

    @property
    def authorization(self) -> str:
        """Give the header that signs in; empty without a token or user."""
        if self.token is not None:
            return f"Bearer {self.token.reveal()}"
        if not self.user:
            return ""
        proof = f"{self.user}:{self.password.reveal() if self.password else ''}"
        return f"Basic {b64encode(proof.encode()).decode()}"


_KEYS = {"findings": "fingerprint", "silences": "id", "audit": "action"}
"""What each entry of a list has."""


class Client:
    """One conversation, as a context: `async with Client(door) as client`. All calls raise MonitorError."""

    def __init__(self, door: Door) -> None:
        self._door, self._url = door, door.url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._token = ""

    async def __aenter__(self) -> Self:
        headers = {"Authorization": self._door.authorization} if self._door.authorization else {}
        self._session = aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=SECONDS, connect=CONNECT_SECONDS)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def findings(self, **filters: str) -> list[Document]:
        """Give findings, worst first; `target`, `database`, `rule`, `severity` and `status` narrow them."""
        # Between two pages a finding may have moved: each is given once.
        found = {str(each["fingerprint"]): each for each in await self._listed("findings", filters)}
        return list(found.values())

    @property
    def url(self) -> str:
        """Where the daemon is."""
        return self._url

    async def status(self) -> Document:
        """Give how things stand in numbers."""
        return await self._ask("GET", "/api/v1/status", params={"per_page": "1"})

    async def first(self, name: str, count: int, **filters: str) -> Sequence[Document]:
        """Give the first entries of a list, at most 500: `findings`, `statements` or `pools`."""
        document = await self._ask("GET", f"/api/v1/{name}", params={**filters, "per_page": str(count)})
        entries = document.get(name)
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self._wrong(_NOT_OURS)
        return entries

    async def finding(self, beginning: str) -> Document:
        """Give the one finding whose fingerprint begins so; raises UsageError when that is none or several."""
        fingerprints = [str(each["fingerprint"]) for each in await self.findings()]
        fingerprint = _only(beginning.lower(), fingerprints, "finding", "`monitor findings list`")
        return await self._ask("GET", f"/api/v1/findings/{quote(fingerprint, safe='')}")

    async def ack(self, fingerprint: str, *, comment: str, author: str = "") -> Document:
        """Take note of a finding."""
        return await self._change(
            "POST", f"findings/{quote(fingerprint, safe='')}/ack", {"comment": comment, **_by(author)}
        )

    async def unack(self, fingerprint: str, *, author: str = "") -> Document:
        """Take an ack back."""
        return await self._change("DELETE", f"findings/{quote(fingerprint, safe='')}/ack", _by(author))

    async def silences(self) -> list[Document]:
        """Give silences."""
        return await self._listed("silences", {})

    async def audit(self) -> list[Document]:
        """Give who changed what, newest first."""
        if not self._door.authorization:
            await self._ask("GET", "/api/v1/status", params={"per_page": "1"})
        return await self._listed("audit", {})

    async def silence(self, document: Document, *, author: str = "") -> Document:
        """Begin a silence, and give it with its id."""
        return await self._change("POST", "silences", {**document, **_by(author)})

    async def unsilence(self, beginning: str, *, author: str = "") -> Document:
        """End the one silence whose id begins so, and give its id."""
        ids = [str(each["id"]) for each in await self.silences()]
        silence_id = _only(beginning, ids, "silence", "`monitor findings silences`")
        return await self._change("DELETE", f"silences/{quote(silence_id, safe='')}", _by(author))

    async def _listed(self, name: str, filters: Mapping[str, str]) -> list[Document]:
        found: list[Document] = []
        page = 1
        while True:
            asked = {**filters, "page": str(page), "per_page": str(PAGE)}
            document = await self._ask("GET", f"/api/v1/{name}", params=asked)
            entries, total = document.get(name), document.get("total")
            if not isinstance(total, int) or not _are_documents(entries, _KEYS[name]):
                raise self._wrong(_NOT_OURS)
            found += entries
            if not entries or page * PAGE >= total:
                return found
            page += 1

    async def _change(self, method: str, path: str, document: Document) -> Document:
        if not self._token and not self._door.authorization:
            await self._ask("GET", "/api/v1/status", params={"per_page": "1"})
        return await self._ask(method, f"/api/v1/{path}", body=document)

    async def _ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Document | None = None
    ) -> Document:
        if self._session is None:
            raise MonitorError("the conversation has not begun")
        try:
            async with self._session.request(
                method,
                URL(self._url + path, encoded=True),
                params=params,
                json=body,
                headers={TOKEN: self._token} if self._token else {},
                ssl=self._door.tls or True,
                allow_redirects=False,
            ) as response:
                self._token = response.headers.get(TOKEN, self._token)
                return self._document(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._wrong(_why(error)) from None

    def _document(self, status: int, body: bytes) -> Document:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._wrong(f"{_NOT_OURS} (HTTP {status})")
        if status < 300:  # noqa: PLR2004 - HTTP
            return document
        text = str(document.get("error", f"HTTP {status}"))
        if status == 401:  # noqa: PLR2004 - HTTP
            raise self._wrong("it wants credentials; put a token into PGARCHITECT_TOKEN, or give --user or --config")
        raise UsageError(text) if status in {400, 404} else self._wrong(text)

    def _wrong(self, what: str) -> MonitorError:
        return MonitorError(f"{self._url}: {what}")


def _are_documents(entries: object, key: str) -> TypeGuard[list[Document]]:
    return isinstance(entries, list) and all(isinstance(each, dict) and key in each for each in entries)


def _only(beginning: str, names: Sequence[str], what: str, lists: str) -> str:
    """Give the one name that begins so; one that is meant whole is meant."""
    fitting = [each for each in names if beginning and each.startswith(beginning)]
    if beginning in fitting:
        return beginning
    if not fitting:
        raise UsageError(f"{beginning}: no such {what}; {lists} lists them")
    if len(fitting) > 1:
        several = ", ".join(fitting[:SHOWN]) + (" …" if len(fitting) > SHOWN else "")
        raise UsageError(f"{beginning}: {len(fitting)} {what}s begin so: {several}")
    return fitting[0]


def _by(author: str) -> dict[str, str]:
    return {"author": author} if author else {}


def _why(error: aiohttp.ClientError | TimeoutError) -> str:
    """Say why nobody answered, and how to mend it."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ServerFingerprintMismatch():
            return "its certificate is not trusted; name the authority that signed it by --ca-file"
        case aiohttp.ClientConnectorSSLError():
            return "TLS with it fails; does it speak TLS, and want a certificate of ours?"
        case aiohttp.ClientConnectorError():
            return "no daemon answers there; start one by `monitor run`, or name it by --url or --config"
        case TimeoutError():
            return "no answer in time"
        case _:
            return "the connection broke; does it want TLS (https://)?"
