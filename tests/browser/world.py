"""A small fleet as a person meets it: things wrong of every kind, a server down, one stale, rights that are missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.model import Ack, Alert, Area, Finding, Object, Remedy, Severity, State, Target
from monitor.status import Past, ProbeStatus, ReceiverStatus, Step, TargetStatus
from tests.unit.shelf import NOW, Pile, Told, alert, finding, refused, run, server, silence, unknown

SLOT = Finding(
    target=Target("shop-eu"),
    rule="replication.slot",
    area=Area.OPERATIONS,
    severity=Severity.CRITICAL,
    subject="warehouse_sync",
    object=Object("replication_slot", name="warehouse_sync"),
    title="An inactive replication slot retains write-ahead log",
    summary="182 GiB of WAL kept for a slot nobody has read from since Tuesday.",
    impact="the disk fills in about 9 hours at the present rate, and the server then stops accepting writes",
    evidence={"retained_bytes": 195_421_011_968, "limit_bytes": 1_073_741_824, "after_seconds": 32_400},
    remedy=Remedy(
        sql=("select pg_drop_replication_slot('warehouse_sync')",),
        caution="The consumer has to begin anew with a full copy.",
    ),
)
ROWS = replace(
    finding("public.orders (customer_id)"),
    object=Object("table", "public", "orders", columns=("customer_id",)),
)
OPEN = Finding(
    target=Target("shop-eu", "shop"),
    rule="rls.off",
    area=Area.SECURITY,
    severity=Severity.CRITICAL,
    subject="public.orders",
    object=Object("table", "public", "orders"),
    title="A table that anybody can reach has no row level security",
    summary="The role anon may read all 4,211,003 rows of public.orders.",
    impact="whoever has the application's public key reads every order",
    evidence={"count": 4_211_003, "roles": ("anon", "authenticated")},
    remedy=Remedy(
        sql=("alter table public.orders enable row level security",),
        rollback=("alter table public.orders disable row level security",),
        caution="Until there are policies nobody but the owner sees a row.",
    ),
)
ODD = '"><b>Ærø 🚂 \u05e9\u05dc\u05d5\u05dd' + "x" * 1000
"""A name with HTML, quotes, emoji, right-to-left text, and very long."""


def servers() -> list[TargetStatus]:
    """Five that stand in different ways."""
    long_ago = replace(run(Target("stock-us")), last_success=NOW - timedelta(minutes=4))
    probes: list[ProbeStatus] = [
        replace(run(Target("shop-eu", "shop"), name), duration_seconds=0.004 * place, rows=17 * place)
        for place, name in enumerate(("server", "statements", "tables", "indexes", "replication_slots"), 1)
    ]
    return [
        server("shop-eu", probes=[*probes, refused(Target("shop-eu", "shop"))]),
        replace(server("shop-eu-replica"), replica_of="shop-eu"),
        server("billing", up=False, reason="connection refused by 10.2.0.7 port 5432; is the server running?"),
        server("stock-us", probes=[long_ago]),
        replace(server("crm"), labels={"env": "test"}, own_seconds=0.4),
    ]


def alerts() -> list[Alert]:
    """Worst first, as the shelf has them."""
    down = finding("billing", rule="target.unreachable", severity=Severity.CRITICAL, target=Target("billing"))
    known = Ack(author="ann", comment="mended on Monday", at=NOW - timedelta(hours=3), severity=Severity.WARNING)
    shop = Target("shop-eu", "shop")
    keys = [
        alert(replace(finding(f"public.{name} (owner_id)", target=shop), object=Object("table", "public", name)))
        for name in ("rooms", "invoices", "carts", "letters", "parcels", "returns")
    ]
    slow = finding("5c1599c63985c16a", rule="statements.slow", title="A statement is slow", target=shop)
    return [
        alert(SLOT),
        alert(replace(down, title="The server does not answer", summary="Connection refused for 3 h.")),
        alert(OPEN),
        alert(replace(slow, object=Object("statement", name="5c1599c63985c16a"))),
        replace(alert(replace(ROWS, target=shop)), acked=known),
        *keys,
        alert(finding(ODD, rule="settings.odd", title=ODD, severity=Severity.INFO, target=Target("crm", ODD[:60]))),
        alert(finding("public.events", rule="tables.bloat", title="A table is bloated"), State.PENDING),
        replace(alert(finding("public.audit (at)"), State.RESOLVED), ended_by="its remedy was applied"),
    ]


def pile() -> Pile:
    """The shelf."""
    shop, crm = Target("shop-eu", "shop"), Target("crm", "crm")
    return Pile(
        targets_=servers(),
        alerts_=alerts(),
        not_evaluated_=[
            unknown(target=shop),
            unknown("auth.unconfirmed", shop),
            unknown(target=crm),
            unknown("auth.unconfirmed", crm),
            unknown("index.unused", crm, "the statistics are younger than 7 days"),
        ],
    )


def told() -> Told:
    """Silences, receivers and a past."""
    steps = [
        Step(at=NOW - timedelta(minutes=65), state="pending", severity="warning", why="seen for the first time"),
        Step(at=NOW - timedelta(minutes=60), state="firing", severity="critical", why="it stood for 5 min"),
    ]
    return Told(
        silences_=[silence()],
        receivers_=[ReceiverStatus(name="ops"), ReceiverStatus(name="chat", waiting=2, oldest=NOW, failing="HTTP 503")],
        past=Past(steps=steps),
    )
