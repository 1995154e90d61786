"""`python -m benchmarks.pages`: what pages cost with 200 targets and 5,000 findings. It only tells; its status is 0."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from benchmarks.lines import Line, table_head
from benchmarks.scrape import Bench, Unhandled
from monitor.draw.fleet import Wanted
from monitor.draw.page import Drawer, Leave
from monitor.draw.search import Search, found
from monitor.errors import Needs
from monitor.model import Alert, Area, Finding, Object, Remedy, Result, Severity, State, Target
from monitor.status import Glance, NotEvaluated, Past, ProbeStatus, Step, TargetStatus
from monitor.whole import whole_catalog

TARGETS, FINDINGS, PROBES, RULES = 200, 5000, 40, 50
PAGE_MS, FIRST_MS, KB = 150.0, 80.0, 300.0
TURNS = 20
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


@dataclass
class Fleet(Bench):
    """A shelf with many servers and findings on it."""

    servers: tuple[TargetStatus, ...] = ()
    found: tuple[Alert, ...] = ()
    unknown: tuple[NotEvaluated, ...] = ()

    def targets(self) -> tuple[TargetStatus, ...]:
        """Give all."""
        return self.servers

    def alerts(self) -> tuple[Alert, ...]:
        """Give all, worst first."""
        return self.found

    def not_evaluated(self) -> tuple[NotEvaluated, ...]:
        """Give three rules of every target."""
        return self.unknown


def fleet() -> Fleet:
    """Make it."""
    names = [f"shop-{each:03}" for each in range(TARGETS)]
    severities = (Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.WARNING, Severity.INFO)
    findings = [_finding(names[each % TARGETS], each, severities[each * 5 // FINDINGS]) for each in range(FINDINGS)]
    return Fleet(
        servers=tuple(_server(name, up=bool(each % 25)) for each, name in enumerate(names)),
        found=tuple(_alert(each) for each in findings),
        unknown=tuple(_unknown(name, each) for name in names for each in range(3)),
    )


def _server(name: str, *, up: bool) -> TargetStatus:
    place = Target(name, "shop")
    run = ProbeStatus(target=place, probe="p", result=Result.OK, taken_at=NOW, last_success=NOW, rows=10)
    return TargetStatus(
        server=name,
        labels={"env": "prod", "team": "shop"},
        up=up,
        since=NOW - timedelta(hours=3),
        server_version="18.1",
        databases=("shop", "billing"),
        probes=tuple(replace(run, probe=f"probe_{each}") for each in range(PROBES)),
        own_seconds=12.5,
    )


def _finding(server: str, each: int, severity: Severity) -> Finding:
    return Finding(
        target=Target(server, "shop"),
        rule=f"family.rule_{each % RULES}",
        area=Area.PERFORMANCE,
        severity=severity,
        subject=f"public.table_{each} (owner_id)",
        object=Object("table", "public", f"table_{each % 100}"),
        title=f"A foreign key has no index ({each % RULES})",
        summary="Deleting a user reads all 1,200,000 rows of the table.",
        impact="each delete holds its locks for 340 ms and the pool fills behind it",
        evidence={"count": 1, "table_bytes": 734_003_200, "mean_ms": 340.25},
        remedy=Remedy(sql=("create index concurrently on public.rooms (owner_id)",), rollback=("drop index x",)),
    )


def _alert(finding: Finding) -> Alert:
    return Alert(finding=finding, source=finding.target, state=State.FIRING, starts_at=NOW, last_seen=NOW, fired_at=NOW)


def _unknown(server: str, each: int) -> NotEvaluated:
    reason = f"role monitor of {server} may not read auth.users"
    return NotEvaluated(target=Target(server, "shop"), rule=f"auth.rule_{each}", reason=reason, needs=Needs.RIGHTS)


def pages(shelf: Fleet) -> Mapping[str, Callable[[], bytes]]:
    """Give what draws each page."""
    drawer = Drawer(whole_catalog().rules)
    glance = Glance(shelf=shelf, handling=Unhandled(), now=NOW)
    past = Past(steps=[Step(at=NOW, state="firing", severity="warning", why="it stood for 5 min")] * 100)
    return {
        "/": lambda: drawer.overview(glance, refresh=True),
        "/findings": lambda: drawer.findings(glance, found(shelf.alerts(), Search(), 1)),
        "/findings?q=…": lambda: drawer.findings(glance, found(shelf.alerts(), Search(q="table_4999"), 1)),
        "/findings/…": lambda: drawer.finding(glance, shelf.found[0], past, Leave()),
        "/targets": lambda: drawer.targets(glance, Wanted()),
        "/targets/…": lambda: drawer.target(glance, shelf.servers[1]),
        "/rules": lambda: drawer.rules(NOW),
    }


def lines(shelf: Fleet) -> Iterator[Line]:
    """Give all figures that have a goal."""
    for address, draw in pages(shelf).items():
        size = len(draw())  # the first turn compiles the template
        goal = FIRST_MS if address == "/" else PAGE_MS
        yield Line(f"{address}, median", 1000 * statistics.median(_timed(draw)), goal, "ms")
        yield Line(f"{address}, size", size / 1000, KB, "kB")


def _timed(draw: Callable[[], bytes]) -> list[float]:
    taken = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        draw()
        taken.append(time.perf_counter() - begun)
    return taken


def main() -> None:
    """Measure and print."""
    shelf = fleet()
    print("\n".join([table_head(), *map(str, lines(shelf))]))
    print(f"{TARGETS} targets, {FINDINGS:,} findings", file=sys.stderr)


if __name__ == "__main__":
    main()
