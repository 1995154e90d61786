"""The HTTP door: metrics, health, pages and the JSON API; no request ever touches a watched database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import EADDRINUSE

from aiohttp import web

from monitor.draw.indexes import Read
from monitor.draw.page import REFRESH, Drawer
from monitor.draw.sheets import STATIC, static
from monitor.errors import MonitorError
from monitor.expose import api, openapi
from monitor.expose.answers import document, html
from monitor.expose.cached import Cached
from monitor.expose.changes import Changes
from monitor.expose.credentials import Credentials
from monitor.expose.events import Events, Pace
from monitor.expose.findings import Findings, Rights
from monitor.expose.forms import Door, Forms
from monitor.expose.guard import Guard, host_name, is_loopback
from monitor.expose.journal import Journal
from monitor.expose.metrics import Exposition
from monitor.expose.noise import logger
from monitor.expose.origin import TOKEN, Origin
from monitor.expose.own import Own
from monitor.expose.scrape import Scrape
from monitor.expose.statements import Statements
from monitor.expose.targets import Targets
from monitor.expose.tls import Tls
from monitor.expose.trends import TrendPages, numbers
from monitor.expose.wishes import BODY
from monitor.history.trend import Trends
from monitor.rule import Judge
from monitor.status import Controls, Glance, Handling, Shelf, Workload

SHUTDOWN_SECONDS = 0.5
KEEPALIVE_SECONDS = 75.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the pages show; `rules` are the judges by id, as the daemon has them at present.

    Without `controls` nothing can be changed here; without `workload` there are no statements to show.
    """

    shelf: Shelf
    handling: Handling
    exposition: Exposition
    own: Own
    rules: Mapping[str, Judge]
    clock: Callable[[], datetime] = _now
    controls: Controls | None = None
    workload: Workload | None = None
    trends: Trends | None = None
    pace: Pace = field(default_factory=Pace)

    def glance(self) -> Glance:
        """Give all there is to be shown now."""
        return Glance(shelf=self.shelf, handling=self.handling, now=self.clock())


class Pages:
    """The handlers."""

    def __init__(self, site: Site, origin: Origin, credentials: Credentials) -> None:
        self._site, self._origin, self._credentials = site, origin, credentials
        self._drawer = Drawer(site.rules, site.handling.configuration)
        self._door = Door(origin, credentials, self.message)
        self._forms = Forms(site.controls, site.shelf, site.clock) if site.controls is not None else None
        rights = Rights(token=self._token, private=self._is_private)
        self._findings = Findings(site.glance, self._drawer, rights, numbers(site.trends))
        self._trends = TrendPages(site.trends, site.glance, self._drawer, _indexes(site.workload))
        self._targets = Targets(site.glance, self._drawer)
        self.events = Events(site.shelf, site.pace)
        self._statements = Statements(site.workload, site.glance, self._drawer)
        self._journal = Journal(site.controls, site.glance, self._drawer, private=self._is_private)
        self._scrape = Scrape(site.shelf, site.exposition, site.own)
        self._files = static()
        self._overviews = {live: Cached(self._overview(refresh=live)) for live in (True, False)}

    def routes(self) -> list[web.RouteDef]:
        """Give every address."""
        return [
            web.get("/", self.overview),
            web.get("/metrics", self.metrics),
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/migrations", self.migrations),
            web.get("/rules", self.rules),
            web.get("/rules/{rule}", self.rule),
            web.get("/static/{name}", self.static),
            web.get("/api/v1/status", self.api_status),
            *self._findings.routes(),
            *self._targets.routes(),
            *self._statements.routes(),
            *self._trends.routes(),
            *self._journal.routes(),
            *self.events.routes(),
            *(self._forms.routes(self._door) if self._forms else ()),
            *openapi.routes(),
        ]

    async def metrics(self, request: web.Request) -> web.Response:
        """Give what Prometheus scrapes."""
        asked = request.headers
        answer = await self._scrape.answer(asked.get("Accept", ""), asked.get("Accept-Encoding", ""))
        headers = {"Content-Type": answer.content_type, "Vary": "Accept, Accept-Encoding"}
        if answer.packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=answer.body, headers=headers)

    async def healthz(self, request: web.Request) -> web.Response:
        """Say that the process lives."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """Say whether every server has been asked once."""
        if self._site.shelf.ready:
            return web.Response(text="ok\n")
        waiting = [target.server for target in self._site.shelf.targets() if target.since is None]
        names = f" of {', '.join(waiting[:10])}" if waiting else ""
        return web.Response(status=503, text=f"not ready: waiting for the first readings{names}\n")

    async def overview(self, request: web.Request) -> web.Response:
        """Give the first page, drawn once a change; ages in it are right to a few seconds."""
        live = request.query.get("refresh") != "off"
        version = (self._site.shelf.revision, int(self._site.clock().timestamp()) // REFRESH)
        return html(self._overviews[live].plain(version))

    async def migrations(self, request: web.Request) -> web.Response:
        """Give the place that is kept for migrations."""
        return html(self._drawer.migrations(self._site.clock()))

    async def rules(self, request: web.Request) -> web.Response:
        """Give the list of rules."""
        return html(self._drawer.rules(self._site.clock()))

    async def rule(self, request: web.Request) -> web.Response:
        """Give a rule's manual page."""
        name = request.match_info["rule"]
        if name not in self._site.rules:
            return self.message(404, "No such rule", "The list of rules is at /rules.")
        return html(self._drawer.rule(name, self._site.clock()))

    async def static(self, request: web.Request) -> web.Response:
        """Give a style sheet, script or picture."""
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        headers = {"Content-Type": STATIC[name], "Cache-Control": "max-age=86400"}
        return web.Response(body=self._files[name], headers=headers)

    async def api_status(self, request: web.Request) -> web.Response:
        """Give how things stand as JSON; who asks from this machine gets what a change wants in a header."""
        response = document(api.status(self._site.glance(), request.query))
        if self._origin.is_local(request):
            response.headers[TOKEN] = self._origin.token.reveal()
        return response

    def message(self, status: int, title: str, text: str) -> web.Response:
        """Give a small page that only says something."""
        return html(self._drawer.message(title, text, self._site.clock()), status)

    def _token(self, request: web.Request) -> str | None:
        return self._door.token(request) if self._forms else None

    def _is_private(self, request: web.Request) -> bool:
        """Tell whether who asks may see who did what, and keys of rows: has signed in, or sits at this machine."""
        return self._credentials.configured or self._origin.is_local(request)

    def _overview(self, *, refresh: bool) -> Callable[[], bytes]:
        return lambda: self._drawer.overview(self._site.glance(), refresh=refresh)


def _indexes(workload: Workload | None) -> Read:
    """Give who knows the indexes of a server."""
    return workload.indexes if workload else lambda _: ()


class Web:
    """The server: `start` opens the port, `stop` closes it and every connection."""

    def __init__(
        self,
        site: Site,
        *,
        host: str = "127.0.0.1",
        port: int = 9779,
        external_url: str | None = None,
        credentials: Credentials | None = None,
        tls: Tls | None = None,
    ) -> None:
        """Prepare the door; raises MonitorError when a certificate cannot be shown."""
        self._host, self._port = host, port
        self._tls, self._context = tls, tls.context() if tls else None
        origin, credentials = Origin(external_url=external_url), credentials or Credentials()
        pages = Pages(site, origin, credentials)
        guard = Guard(
            message=pages.message,
            only_loopback=is_loopback(host),
            also=host_name(external_url.partition("://")[2].partition("/")[0]) if external_url else None,
            credentials=credentials,
        )
        app = web.Application(middlewares=[guard.middleware()], client_max_size=BODY)
        app.add_routes(pages.routes())
        app.on_shutdown.append(pages.events.end)
        if site.controls is not None:
            app.add_routes(Changes(site.controls, origin, credentials, site.clock).routes())
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=logger(),
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=KEEPALIVE_SECONDS,
        )

    @property
    def port(self) -> int:
        """The port that is open: the system's choice when 0 was asked for."""
        addresses = self._runner.addresses
        return int(addresses[0][1]) if addresses else self._port

    @property
    def url(self) -> str:
        """The first page's address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/"

    async def start(self) -> None:
        """Open the port; raises MonitorError when that cannot be."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._context).start()
        except OSError as error:
            await self._runner.cleanup()
            raise MonitorError(_why(self._host, self._port, error)) from error

    def renew(self) -> None:
        """Show the certificate that lies there now; raises MonitorError, and the old one stays, when it is no good."""
        if self._tls is not None and self._context is not None:
            self._tls.renew(self._context)

    async def stop(self) -> None:
        """Close the port and every connection; requests under way get half a second."""
        await self._runner.cleanup()


def _why(host: str, port: int, error: OSError) -> str:
    """Say why a port could not be opened, and how to mend it."""
    where = f"web.listen: {host}:{port}"
    match error:
        case PermissionError():
            return f"{where}: we may not open this port; choose one above 1023"
        case OSError(errno=code) if code == EADDRINUSE:
            return f"{where}: something listens there already; stop it, or choose another port (0: any free one)"
        case _:
            reason = error.strerror or type(error).__name__
            return f"{where}: cannot be opened ({reason}); is it an address of this machine?"
