"""Where a changing request comes from: never another site's page; without credentials, only this machine's own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address

from aiohttp import web
from yarl import URL

from monitor.expose.guard import host_name, is_loopback
from monitor.model import Secret

TOKEN = "X-Pgarchitect-Token"  # noqa: S105 - a header's name
"""Given with GET /api/v1/status to who asks from this machine, and wanted back with a change."""

_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def _new() -> Secret:
    return Secret(secrets.token_urlsafe(32))


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Judges requests; the token is made anew at each start."""

    external_url: str | None = None
    token: Secret = field(default_factory=_new)

    def refusal(self, request: web.Request, who: str | None) -> str:
        """Say why a request may change nothing, or nothing; `who` has signed in."""
        if self._is_foreign(request):
            return "this request comes from the page of another site (behind a proxy, set web.external_url)"
        if who is not None:
            return ""
        if not self.is_local(request):
            return (
                "changes need credentials: set web.basic_auth or web.tokens (without any, they work on loopback only)"
            )
        if not self._is_ours(request.headers.get(TOKEN, "")):
            return f"changes need the header {TOKEN}, which GET /api/v1/status gives"
        return ""

    def refusal_of_form(self, request: web.Request, who: str | None, token: str) -> str:
        """Say why a page's form may change nothing, or nothing.

        Browsers sign in by themselves, for other sites' forms too: so the token is wanted of everybody.
        """
        if self._is_foreign(request):
            return "this form comes from the page of another site (behind a proxy, set web.external_url)"
        if who is None and not self.is_local(request):
            return (
                "changes need credentials: set web.basic_auth or web.tokens (without any, they work on loopback only)"
            )
        if not self._is_ours(token):
            return "this form is of before the monitor's last start; open the finding again"
        return ""

    def _is_ours(self, token: str) -> bool:
        return compare_digest(token.encode(errors="replace"), self.token.reveal().encode())

    def is_local(self, request: web.Request) -> bool:
        """Tell whether a request came from this machine, under a loopback name, and through no proxy that says so."""
        name = host_name(request.headers.get("Host", ""))
        return (
            name is not None
            and is_loopback(name)
            and _is_this_machine(request.remote or "")
            and not any(header in request.headers for header in _PROXIES)
        )

    def _is_foreign(self, request: web.Request) -> bool:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return True
        origin = request.headers.get("Origin")
        if origin is None:
            return False
        own = {_origin(f"{request.scheme}://{request.headers.get('Host', '')}"), _origin(self.external_url or "")}
        return _origin(origin) not in own - {None}


def _origin(url: str) -> URL | None:
    try:
        return URL(url).origin()
    except ValueError:
        return None


def _is_this_machine(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback
