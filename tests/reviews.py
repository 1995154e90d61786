"""Hand-made reviews: sick, healthy, unreachable, not evaluated, hostile, and very long."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.errors import Needs
from monitor.model import Ack, Area, Confidence, Evidence, Finding, Object, Remedy, Result, Severity, Target
from monitor.report.review import Checked, Known, LookedAt, Quiet, Review
from monitor.status import NotEvaluated, ProbeStatus
from monitor.whole import whole_catalog

AT = datetime(2026, 3, 1, 10, 11, 12, tzinfo=UTC)
SERVER = Target("shop")
SHOP = Target("shop", "shop")
HOSTILE = "[red]x[/red]\x1b[2J\u202e\n`|<b>*_"


def status(
    target: Target, probe: str, result: Result = Result.OK, reason: str = "", needs: Needs | None = None
) -> ProbeStatus:
    return ProbeStatus(
        target=target,
        probe=probe,
        result=result,
        reason=reason,
        needs=needs,
        taken_at=AT,
        duration_seconds=0.0125,
        rows=40,
    )


def looked(target: Target, *probes: ProbeStatus, not_applicable: int = 0) -> LookedAt:
    return LookedAt(
        target=target,
        up=True,
        server_version="18.1",
        labels={"env": "prod"},
        not_applicable=not_applicable,
        probes=probes,
    )


def finding(
    rule: str,
    area: Area,
    severity: Severity,
    subject: str = "public.users (auth_user_id)",
    *,
    evidence: Evidence | None = None,
    remedy: Remedy | None = None,
) -> Finding:
    return Finding(
        target=SHOP,
        rule=rule,
        area=area,
        severity=severity,
        subject=subject,
        object=Object("table", "public", "users"),
        title="Profiles point to sign-in users that do not exist",
        summary=f"{subject} is out of order",
        impact="those people see an empty account, and what they own can never be reached again",
        evidence=evidence or {"count": 7},
        remedy=remedy or Remedy(),
        confidence=Confidence.MEDIUM if severity is Severity.WARNING else Confidence.HIGH,
    )


ORPHANS = finding(
    "auth_links.orphaned_profile",
    Area.AUTH,
    Severity.CRITICAL,
    evidence={"count": 7, "orphan_ratio": 0.0058, "checked": 1204, "complete": True},
    remedy=Remedy(
        sql=("delete from public.users u where not exists (select from auth.users a where a.id = u.auth_user_id)",),
        caution="Look at the rows first.\nKeep a copy of what you delete.",
    ),
)
NO_INDEX = finding(
    "index.missing_foreign_key",
    Area.PERFORMANCE,
    Severity.WARNING,
    "public.rooms (owner_id)",
    evidence={
        "table_bytes": 5 << 30,
        "mean_ms": 312.4,
        "columns": ["owner_id"],
        "statements": [str(n) for n in range(9)],
    },
    remedy=Remedy(
        sql=("create index concurrently rooms_owner_id_idx on public.rooms (owner_id)",),
        rollback=("drop index concurrently public.rooms_owner_id_idx",),
    ),
)
LOAD = finding(
    "statements.load", Area.PERFORMANCE, Severity.INFO, "7f3a9c01d2e4b586", evidence={"load_ratio": 0.42, "pid": 41210}
)

STATEMENTS = [
    {
        "target": "shop",
        "database": "shop",
        "roles": "api, worker",
        "statement": f"7f3a9c01d2e4b58{rank}",
        "kind": "simple",
        "calls": 120_000 - rank,
        "mean_ms": 31.2,
        "total_seconds": 3744.0,
        "share": 0.42,
        "rows": 1_200_000,
        "tables": "question_history",
        "text": "select *\n  from question_history where room_id = $1 and asked_at > $2 order by asked_at"
        + " desc" * rank,
    }
    for rank in range(8)
]
POOLS = [{"target": "shop", "role": "api", "state": "idle", "sessions": 18, "oldest_seconds": 8112.5}]


RULES = whole_catalog().rules


def checked(*rules: str, answered: int = 1, idle: int = 0, ignored: int = 0) -> list[Checked]:
    return [Checked(judge=RULES[rule], answered=answered, idle=idle, ignored=ignored) for rule in rules]


def unknown(rule: str, needs: Needs, reason: str, target: Target = SHOP, subject: str | None = None) -> NotEvaluated:
    return NotEvaluated(target=target, rule=rule, needs=needs, reason=reason, subject=subject)


def review(
    *targets: LookedAt,
    findings: Sequence[Finding] = (),
    not_evaluated: Sequence[NotEvaluated] = (),
    window: float = 10.0,
    rows: bool = False,
    asked: Sequence[Checked] = (),
) -> Review:
    return Review(
        generated_at=AT,
        window_seconds=window,
        targets=targets,
        findings=findings,
        not_evaluated=not_evaluated,
        checked=asked,
        statements=STATEMENTS if rows else (),
        pools=POOLS if rows else (),
    )


WHOLE = looked(SERVER, status(SERVER, "server"), status(SERVER, "pool"), status(SERVER, "statements"))
DATABASE = looked(SHOP, status(SHOP, "indexes"), status(SHOP, "auth_links"), not_applicable=14)
BLIND = looked(
    SHOP,
    status(SHOP, "indexes"),
    status(SHOP, "auth_links", Result.DENIED, 'role "monitor" sees no row of auth.users'),
    not_applicable=3,
)
DOWN = LookedAt(target=Target("db2:5432"), up=False, reason="db2:5432: connection refused; is the server running?")
RLS = 'role "monitor" sees no row of auth.users (row level security); run: monitor grants --auth functions'

ASKED = [
    *checked("auth_links.missing_profile", "auth_links.orphaned_profile", "index.missing_foreign_key"),
    *checked("settings.pending_restart", "statements.load", "statements.slow", "tables.bloat", "wal.growth"),
    *checked("server.restarted", answered=0),
    *checked("replication.slot", answered=0, idle=1),
]

SICK = review(
    WHOLE,
    DATABASE,
    asked=ASKED,
    findings=(ORPHANS, NO_INDEX, LOAD),
    not_evaluated=(unknown("server.restarted", Needs.HISTORY, "counters were read once", SERVER),),
    rows=True,
)
HEALTHY = review(WHOLE, DATABASE, asked=ASKED)
UNREACHABLE = review(WHOLE, DATABASE, DOWN, asked=[*ASKED, *checked("pool.waiting", answered=0)])
NOT_EVALUATED = review(
    WHOLE,
    BLIND,
    asked=[
        *checked("settings.pending_restart", "index.missing_foreign_key"),
        *checked("auth_links.missing_profile", "auth_links.orphaned_profile", answered=0),
        *checked("server.restarted", "statements.slow", answered=0),
    ],
    window=0,
    not_evaluated=(
        unknown("auth_links.orphaned_profile", Needs.RIGHTS, RLS),
        unknown("auth_links.missing_profile", Needs.RIGHTS, RLS),
        unknown("statements.slow", Needs.EXTENSION, "pg_stat_statements is not installed", SERVER),
        unknown("server.restarted", Needs.HISTORY, "counters were read once", SERVER),
        unknown("index.missing_foreign_key", Needs.TIME, "ran into its timeout", SHOP, "public.rooms (owner_id)"),
    ),
)
NASTY = review(
    LookedAt(target=Target(HOSTILE, HOSTILE), up=True, server_version=HOSTILE, labels={HOSTILE: HOSTILE}),
    LookedAt(target=Target("x" + HOSTILE), up=False, reason=HOSTILE),
    findings=(
        finding(
            "index.unused",
            Area.PERFORMANCE,
            Severity.WARNING,
            HOSTILE,
            evidence={HOSTILE: HOSTILE, "columns": [HOSTILE]},
            remedy=Remedy(
                sql=(f'drop index "{HOSTILE}"', 'drop index "```a\tb"', "select 1 -- why"),
                rollback=("select '[bold]'",),
                caution=HOSTILE,
            ),
        ),
    ),
    not_evaluated=(unknown("index.invalid", Needs.REPAIR, HOSTILE, SHOP, HOSTILE),),
)
LONG = review(
    WHOLE,
    findings=[
        finding(
            "index.unused", Area.PERFORMANCE, Severity.INFO, f"public.t{number}_idx", evidence={"size_bytes": number}
        )
        for number in range(500)
    ],
)
STANDING = replace(
    SICK,
    ignored=3,
    known={
        ORPHANS.fingerprint: Known(
            since=AT - timedelta(days=9, minutes=8),
            occurrences=3,
            acked=Ack(author="ann", comment="with the owners", at=AT - timedelta(days=1), severity=Severity.CRITICAL),
        ),
        NO_INDEX.fingerprint: Known(
            since=AT - timedelta(hours=1),
            silenced=Quiet(author="bob", comment=f"moving house {HOSTILE}", until=AT + timedelta(hours=2)),
        ),
    },
)
EVERY = {
    "sick": SICK,
    "healthy": HEALTHY,
    "unreachable": UNREACHABLE,
    "not_evaluated": NOT_EVALUATED,
    "hostile": NASTY,
    "standing": STANDING,
}
