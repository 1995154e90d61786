"""The pages of figures as a person meets them: pools that fill up, PgBouncer, tables, indexes, users and links."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from monitor.expose.credentials import Credentials
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.history.trend import Line
from monitor.kinds import APP_POOL, PGBOUNCER
from monitor.model import Severity, Target
from monitor.status import Bucket, Hours, TargetStatus
from tests.browser.world import ODD, servers
from tests.unit.controls import Ledger
from tests.unit.figures import Figures, rise
from tests.unit.shelf import NOW, RULES, Pile, Told, alert, finding, run, server

Row = Mapping[str, object]
SHOP, COPY, POOL, API = "shop-eu", "shop-eu-replica", "pool-eu", "api"
SHOPS = Target(SHOP, "shop")
NAMES = ("orders", "order_lines", "customers", "rooms", "parcels", "invoices", "letters", "carts", "events", ODD)


def line(trend: str, where: Target, key: Mapping[str, str], told: Mapping[str, float | str]) -> Line:
    """Give a line that was read just now; texts among what is told are its words."""
    return Line(
        trend=trend,
        server=where.server,
        database=where.database,
        key=key,
        values={name: value for name, value in told.items() if not isinstance(value, str)},
        words={name: value for name, value in told.items() if isinstance(value, str)},
        taken_at=NOW - timedelta(seconds=20),
    )


def figures() -> Figures:
    """All of them."""
    return Figures([*pools(), *pooler(), *tables(), *auth()], shapes={"slots_used": rise, "used_clients": rise})


def slots(server: str, used: float, **told: float) -> Line:
    key = {"kind": "server", "role": "", "database": ""}
    plain = {"oldest_transaction_seconds": 12.0, "oldest_idle_in_transaction_seconds": 0.0}
    return line("pool.slots", Target(server), key, {"slots_used": used, "slots_limit": 97.0, **plain, **told})


def pools() -> Iterator[Line]:
    """A server that fills up, two that do not, roles with limits, and an application."""
    yield slots(SHOP, 81.0, time_to_exhaustion_seconds=1080.0, oldest_idle_in_transaction_seconds=410.0)
    yield slots(COPY, 9.0)
    yield slots("crm", 14.0, oldest_transaction_seconds=0.0)
    for kind, name, used in (("role", "app_rw", 66.0), ("role", ODD, 2.0), ("database", "shop", 70.0)):
        key = {"kind": kind, "role": "", "database": "", kind: name}
        yield line("pool.slots", Target(SHOP), key, {"slots_used": used, "slots_limit": 90.0})
    for state, sessions in {"active": 22.0, "idle": 41.0, "idle in transaction": 18.0}.items():
        yield line("pool.states", Target(SHOP), {"state": state}, {"sessions": sessions, "waiting_sessions": 3.0})
    for pool, used in (("checkout", 20.0), ("search", 3.0)):
        told = {"in_use": used, "size": 20.0, "waiting": 4.0 if used > 9 else 0.0}
        yield line("app_pool.pools", Target(API), {"pool": pool}, told)


def pooler() -> Iterator[Line]:
    """A PgBouncer whose clients pile up."""
    limit, left = "config_max_client_connections", "time_to_exhaustion_seconds"
    yield line("pgbouncer.clients", Target(POOL), {}, {"used_clients": 730.0, limit: 1000.0, left: 7200.0})
    for place, (database, user) in enumerate(
        (("shop", "app_rw"), ("shop", "reports"), (ODD, "app_rw"), ("crm", "crm"))
    ):
        told: dict[str, float | str] = {
            "pools_client_active_connections": 40.0 - 9 * place,
            "pools_client_waiting_connections": 0.0 if place else 12.0,
            "pools_client_maxwait_seconds": 0.0 if place else 3.4,
            "pools_server_active_connections": 20.0 - 4 * place,
            "pools_server_idle_connections": float(place),
            "pool_size": 20.0,
            "pool_mode": "transaction",
        }
        yield line("pgbouncer.pools", Target(POOL), {"database": database, "user": user}, told)


def tables() -> Iterator[Line]:
    """Tables of two databases, their sizes, and the largest indexes."""
    vacuumed = {"last_vacuum_timestamp_seconds": (NOW - timedelta(hours=7)).timestamp()}
    written = {"rows_inserted": 4.0, "rows_updated": 11.0, "rows_deleted": 0.1}
    for place, name in enumerate(NAMES):
        size = 9e9 / (place + 1) ** 2
        sizes = {"heap_bytes": size, "total_bytes": size * 1.6, "live_rows": size / 120, "dead_rows": size / 2400}
        scans = {"seq_scans": 0.02 * place, "index_scans": 90.0 / (place + 1)}
        key = {"schema": "public", "table": name}
        yield line("tables.tables", SHOPS, key, {**sizes, **scans, **written, **vacuumed})
    for database, size in (("shop", 2.1e10), ("crm", 4.0e8)):
        yield line("sizes.databases", Target(SHOP), {"database": database}, {"database_bytes": size})
    for row in indexes(SHOP)[:40]:
        key = {"schema": str(row["schema"]), "index": str(row["name"])}
        yield line("indexes.indexes", SHOPS, key, {"size_bytes": 1.0, "scans": float(str(row["uses"])) / 80_000})


def auth() -> Iterator[Line]:
    """A house with users and links, and one that is not seen."""
    for of, table in (("users", "auth.users"), ("link", "public.customers")):
        yield line("auth_links.sight", SHOPS, {"of": of, "table": table}, {"seen": 1.0, "way": "functions"})
    hidden = 'role "monitor" sees no row of auth.users (row level security)'
    users = {"of": "users", "table": "auth.users"}
    yield line("auth_links.sight", Target("crm", "crm"), users, {"seen": 0.0, "reason": hidden})
    for link, orphans in (("public.customers (user_id)", 7.0), ("public.carts (owner)", 0.0)):
        for way in ("profile", "user"):
            told: dict[str, float | str] = {"orphans": orphans, "origin": "declared"}
            yield line("auth_links.orphans", SHOPS, {"link": link, "direction": way}, told)
        sweep = {"sweep_progress_ratio": 0.4, "sweep_age_seconds": 800.0}
        yield line("auth_links.sweeps", SHOPS, {"link": link}, sweep)
    yield line("auth_states.rows", SHOPS, {"link": "public.carts (owner)", "state": "banned_user"}, {"rows": 2.0})
    for state, count in {"confirmed": 41_000.0, "unconfirmed": 800.0, "banned": 12.0}.items():
        yield line("auth_accounts.users", SHOPS, {"state": state}, {"users": count})
    for table, live in (("sessions", 9_000.0), ("refresh_tokens", 9_400.0)):
        rows = {"live": live, "expired": 300.0, "revoked": 77_000.0, "sweep_progress_ratio": 1.0}
        yield line("auth_sessions.rows", SHOPS, {"table": table}, rows)
    yield line("auth_signups.inserted", SHOPS, {}, {"users": 0.4, "sessions": 2.0, "refresh_tokens": 7.0})


def indexes(target: str) -> Sequence[Row]:
    """The shop's indexes; on its standby one of them is used."""
    if target not in {SHOP, COPY}:
        return ()
    rows = [*_indexes(target)]
    changed: dict[int, dict[str, object]] = {
        2: {"works": False},
        3: {"works": False, "building": True},
        4: {"uses": 0},
        7: {"uses": 0, "need": "foreign key"},
        6: {"uses": 0 if target == SHOP else 40},
    }
    told = [{**row, **changed.get(place, {})} for place, row in enumerate(rows)]
    return [{**row, "last_scan": row["last_scan"] if row["uses"] else None} for row in told]


def _indexes(target: str) -> Iterator[Row]:
    since = (NOW - timedelta(days=61)).timestamp()
    for place in range(64):
        name = NAMES[place % len(NAMES)]
        yield {
            "target": target, "database": "shop", "schema": "public", "table": name, "name": f"{name}_{place}_idx",
            "size_bytes": 3e9 / (place + 1), "uses": 900_000 // (place + 1), "works": True, "building": False,
            "need": "" if place % 5 else "constraint", "since": since,
            "last_scan": (NOW - timedelta(minutes=place)).timestamp(),
        }  # fmt: skip


@dataclass
class Busy:
    """Implements status.Workload."""

    window: float = 600.0

    async def statements(self, target: str | None = None) -> Sequence[Row]:
        return [each for each in statements() if target in {None, each["target"]}]

    def pools(self) -> Sequence[Row]:
        return ()

    def indexes(self, target: str) -> Sequence[Row]:
        return indexes(target)

    async def hours(self, statements: Sequence[Row], count: int) -> Hours:
        return Hours(
            buckets=[[_bucket(ago, place) for ago in range(count, 0, -1)] for place, _ in enumerate(statements)]
        )


def statements() -> Sequence[Row]:
    """The busiest ones; one has a text that is long, one none."""
    texts = ("select id from public.orders where customer_id = $1", f'select "{ODD}" from public.carts', "")
    return [
        {
            "target": SHOP, "database": "shop", "statement": f"{place:016x}", "roles": "app_rw", "kind": kind,
            "calls": 90_000 // (place + 1), "mean_ms": 4.0 * (place + 1), "total_seconds": 360.0 / (place + 1),
            "share": 0.5 / (place + 1), "rows": 1000, "tables": "public.orders", "tags": "route=/orders", "text": text,
        }
        for place, (text, kind) in enumerate(zip(texts, ("simple", "complex", "unknown"), strict=True))
    ]  # fmt: skip


def _bucket(ago: int, place: int) -> Bucket:
    begins = NOW.replace(minute=0) - timedelta(hours=ago)
    return Bucket(begins=begins, figures={"calls": 100.0, "exec_seconds": 4.0 + (ago % 5) + place})


def letters() -> Sequence[Row]:
    """Messages that were given up."""
    named = {"rule": "rls.off", "severity": "critical", "target": SHOP, "database": "shop", "title": ODD}
    told = {**named, "fingerprint": "0123456789abcdef", "subject": ODD}
    plain = {"receiver": "chat", "reason": "chat: HTTP 404", "created_at": NOW.isoformat(), "tries": 3, "group": "{}"}
    return [
        {**plain, "key": f"{place}", "digest": False, "findings": [told], "findings_count": 8} for place in range(30)
    ]


def place(name: str, kind: str) -> TargetStatus:
    probe = run(Target(name), "pgbouncer" if kind == PGBOUNCER else "app_pool")
    return replace(server(name, probes=[probe]), kind=kind, databases=(), not_applicable={})


def pile() -> Pile:
    """The small fleet with a PgBouncer and an application, and findings about what is charted."""
    wrong = [
        finding(
            "server", rule="pool.exhaustion_forecast", title="Connection slots will run out soon", target=Target(SHOP)
        ),
        finding("shop / app_rw", rule="pool.waiting", title="Clients wait", target=Target(POOL)),
        finding("checkout", rule="pool.app_saturation", title="A pool runs out", target=Target(API)),
        replace(
            finding("public.orders", rule="tables.dead_tuples", title="Dead rows", target=SHOPS), severity=Severity.INFO
        ),
        finding("public.customers (user_id)", rule="auth_links.orphaned_profile", title="Orphans", target=SHOPS),
    ]
    return Pile(
        targets_=[*servers(), place(POOL, PGBOUNCER), place(API, APP_POOL)], alerts_=[alert(each) for each in wrong]
    )


@asynccontextmanager
async def serving(told: Told | None = None, *, credentials: Credentials | None = None) -> AsyncIterator[Web]:
    """Open a door to all of it."""
    shelf, exposition = pile(), Exposition()
    site = Site(
        shelf=shelf,
        handling=told or Told(),
        exposition=exposition,
        own=Own(shelf, exposition.left_away),
        rules=RULES,
        clock=lambda: NOW,
        controls=Ledger(letters=letters()),
        workload=Busy(),
        trends=figures(),
    )
    web = Web(site, port=0, credentials=credentials)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()
