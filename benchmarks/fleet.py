"""A fleet that nobody has: its servers, their configuration, and thousands of findings on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from monitor.config.load import Config, load_config
from monitor.model import Ack, Alert, Finding, Object, Remedy, Severity, State, Target
from monitor.rule import Judge
from monitor.whole import whole_catalog

POOLERS, APPLICATIONS, REPLICAS = 5, 5, 20
"""So many of the targets are not primaries of PostgreSQL."""
DATABASES = ("shop", "billing")
TABLES = 20
"""Tables of each database that are followed, half of what one server has room for."""
WORST = 0.2
"""The part of all findings that stands on one server: a migration went wrong there."""
SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.WARNING, Severity.INFO)
SQL = "select o.id, o.placed_at, o.total, c.name from public.orders o join public.customers c on c.id = o.customer_id"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the fleet is, and of how many days something is kept."""

    targets: int = 200
    findings: int = 5000
    days: int = 30
    statements: int = 500


def name_of(place: int) -> str:
    """Name a target."""
    return f"shop-{place:03}"


def kind_of(place: int, size: Size) -> str:
    """Give the kind of a target: the last ones are poolers, and before them applications."""
    if place >= size.targets - POOLERS:
        return "pgbouncer"
    return "app_pool" if place >= size.targets - POOLERS - APPLICATIONS else "postgres"


def config(folder: Path, size: Size) -> Config:
    """Write the configuration down and read it; nobody is ever connected to."""
    entries = "\n".join(map(_entry, range(size.targets), [size] * size.targets))
    file = folder / "monitor.yaml"
    text = f'targets:\n{entries}\nweb: {{listen: "127.0.0.1:0"}}\nstore: "sqlite:///state.db"\n'
    file.write_text(text, encoding="utf-8")
    return load_config(file, whole_catalog())


def _entry(place: int, size: Size) -> str:
    name, kind = name_of(place), kind_of(place, size)
    labels = f"labels: {{env: {'test' if place % 10 == 9 else 'prod'}, team: team-{place % 12}}}"
    if kind == "app_pool":
        return f'  - {{name: {name}, kind: app_pool, url: "http://127.0.0.1:1/", in_use: used, size: most, {labels}}}'
    replica = f", replica_of: {name_of(place - 1)}" if place % 2 and place < 2 * REPLICAS else ""
    database = "pgbouncer" if kind == "pgbouncer" else "postgres"
    return f'  - {{name: {name}, kind: {kind}, dsn: "postgresql://monitor@127.0.0.1:1/{database}", {labels}{replica}}}'


def statement(server: str, place: int) -> str:
    """Name a statement by its fingerprint."""
    return f"{int(server[-3:]) + 1:08x}{place:08x}"


@cache
def fingerprints(server: str, count: int) -> Sequence[str]:
    """Name the busiest statements of a server."""
    return [statement(server, place) for place in range(count)]


def alerts(rules: Mapping[str, Judge], size: Size, now: datetime) -> list[Alert]:
    """Give findings of all rules in all states, a fifth of them on the first server."""
    judges = list(islice(cycle(rules[name] for name in sorted(rules)), size.findings))
    return [_alert(_finding(judge, place, size), place, now) for place, judge in enumerate(judges)]


def _alert(finding: Finding, place: int, now: datetime) -> Alert:
    begun = now - timedelta(minutes=37 * (place % 1100) + 5)
    alert = Alert(
        finding=finding,
        source=finding.target,
        state=State.FIRING,
        starts_at=begun,
        fired_at=begun,
        last_seen=now,
        occurrences=1 + place % 3,
    )
    known = Ack(author="ann", comment="known, mended on Monday", at=now, severity=finding.severity)
    match place % 20:
        case 0:
            return replace(alert, state=State.PENDING, fired_at=None)
        case 1:
            return replace(alert, state=State.RESOLVED, ends_at=now - timedelta(hours=2), ended_by="not seen any more")
        case 2 | 3:
            return replace(alert, acked=known)
        case _:
            return alert


def _finding(judge: Judge, place: int, size: Size) -> Finding:
    server = name_of(0 if place < size.findings * WORST else place % size.targets)
    about = _object(judge.id, server, place)
    return Finding(
        target=Target(server, DATABASES[place % 2]),
        rule=judge.id,
        area=judge.area,
        severity=SEVERITIES[place % len(SEVERITIES)],
        subject=f"{about.schema}.{about.name} ({place})" if about.schema else f"{about.name} ({place})",
        object=about,
        title=judge.manual()["fault"],
        summary="Deleting a user reads all 1,200,000 rows of the table, 340 times an hour of late.",
        impact="each delete holds its locks for 340 ms; when they come together, the pool fills behind them",
        evidence={
            "count": 1 + place % 90,
            "table": f"public.{about.name}",
            "table_bytes": 734_003_200,
            "mean_ms": 340.25,
            "limit_ms": 250.0,
            "plan": "Seq Scan on orders  (cost=0.00..35811.00 rows=1 width=62)",
        },
        remedy=Remedy(
            sql=(f"create index concurrently orders_owner_{place} on public.orders (owner_id, placed_at)",),
            rollback=(f"drop index concurrently public.orders_owner_{place}",),
            caution="It takes some minutes and reads the table twice; on a partitioned table do one part at a time.",
        ),
    )


def _object(rule: str, server: str, place: int) -> Object:
    match rule.partition(".")[0]:
        case "statements":
            return Object("statement", name=statement(server, place % 100))
        case "index":
            return Object("index", "public", f"orders_{place}_idx")
        case "tables":
            return Object("table", "public", f"orders_{place % TABLES}")
        case _:
            return Object("role", name=f"web_{place % 50}")


def steps_of(alert: Alert, days: int) -> Iterator[tuple[datetime, str]]:
    """Give what became of a finding: it came and went once a day, and its newest step is its state."""
    for day in range(days, 0, -1):
        yield alert.starts_at - timedelta(days=day), State.FIRING.value
        yield alert.starts_at - timedelta(days=day - 0.5), State.RESOLVED.value
    yield alert.starts_at, alert.state.value


def listed(server: str, count: int = 100) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give the rows that the probe `statements` has for a report."""
    names = fingerprints(server, count)
    for place in range(count):
        seconds = 600.0 / (place + 1) + len(server)
        yield (
            "statements",
            {
                "database": DATABASES[place % 2],
                "roles": "web_api, worker",
                "statement": names[place],
                "kind": ("simple", "complex", "utility")[place % 3],
                "calls": 40_000.0 / (place + 1),
                "mean_ms": 15.0 + place,
                "total_seconds": seconds,
                "share": round(seconds / 3600, 3),
                "rows": 120_000.0 / (place + 1),
                "tables": "public.orders, public.customers",
                "text": f"{SQL} where c.region = $1 and o.placed_at > $2 and o.state = any($3) /* {place} */ limit $4",
            },
        )


def unsaid(size: Size) -> Sequence[tuple[str, str, str]]:
    """Give what rules could not say: target, rule, and a reason of each target's own."""
    rules = ("auth.unconfirmed", "index.unused", "tables.bloat")
    return [
        (name_of(place), rule, f"role monitor of {name_of(place)} may not read what {rule} judges")
        for place in range(size.targets)
        for rule in rules
        if kind_of(place, size) == "postgres"
    ]
