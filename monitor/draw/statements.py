"""The page of statements: what each is, how it was hour by hour, which findings are about it, and what is not known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.draw.about import remarks
from monitor.draw.chart import Chart, hourly_means
from monitor.draw.listing import FAMILY, Known, Listing, Row, number, statement_of, text
from monitor.draw.outlook import Unknown, unknowns
from monitor.model import Alert, State
from monitor.status import Glance, Hours

PROBE, POSTGRES = "statements", "postgres"
HOURS = 24
KINDS = frozenset({"simple", "complex", "utility"})
PLAIN = re.compile(r"[\w-]+", re.ASCII)
"""How statements are named; nothing else names a place on the page."""
LEADING, NAMES = 240, 300
"""Characters of a text, and of a list of names, that are shown at once."""
REGRESSED, PLAN = "statements.regressed", "plan"
"""The rule whose beginning is marked, and the figure that says what a plan spends most on."""
LINKED = 20
"""Other servers that are linked to."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One statement as it is drawn; `anchor` is its name on the page, None where another of that name came first."""

    target: str
    database: str
    statement: str
    anchor: str | None
    kind: str
    share: float
    total_seconds: float
    mean_seconds: float
    calls: float
    rows: float
    about: Sequence[tuple[str, str]]
    """Roles, tables and tags, those that are known."""
    text: str
    chart: Chart | None
    findings: Sequence[Alert]
    plan: str
    """What its plan is expected to spend most on, where a finding says it."""

    @property
    def leading(self) -> str:
        """Give as much of the text as is shown at once."""
        return cut(self.text, LEADING)

    @property
    def percent(self) -> float:
        """Give the share of the server's load in percent."""
        return round(100 * min(max(self.share, 0.0), 1.0), 1)


@dataclass(frozen=True, kw_only=True)
class View:
    """All that stands on the page."""

    listing: Listing
    lines: Sequence[Line]
    remarks: Sequence[str]
    unknown: Sequence[Unknown]
    others: Sequence[str]
    """Servers beside the one that is wanted, the first ones."""
    more: int
    """Servers that are not linked to."""
    watched: bool
    """Whether there is any server at all."""
    no_hours: str
    """Why earlier hours cannot be read; empty: they could."""


def view(glance: Glance, listed: Listing, hours: Hours) -> View:
    """Put the page together."""
    wanted, shelf = listed.wanted, glance.shelf
    servers = [target.server for target in shelf.targets() if target.kind == POSTGRES]
    others = [name for name in servers if name != wanted.target] if len(servers) > 1 else []
    unsaid = [each for each in shelf.not_evaluated() if each.rule.startswith(FAMILY)]
    return View(
        listing=listed,
        lines=[*_lines(listed.rows, hours, _findings(listed.rows, shelf.alerts()), glance.now)],
        remarks=[*remarks(glance, {POSTGRES: PROBE}, wanted.target)],
        unknown=unknowns([each for each in unsaid if wanted.covers(each.target.server, each.target.database)]),
        others=others[:LINKED],
        more=max(0, len(others) - LINKED),
        watched=bool(shelf.targets()),
        no_hours=(hours.reason or "it is not known why") if hours.buckets is None else "",
    )


def _findings(rows: Sequence[Row], alerts: Iterable[Alert]) -> Mapping[Known, Sequence[Alert]]:
    """Give the firing findings about each of these statements that has any."""
    names = {text(row, "statement") for row in rows}
    found: dict[Known, list[Alert]] = {}
    for alert in alerts:
        if alert.finding.object.name in names and alert.state is State.FIRING:
            known = statement_of(alert.finding)
            if known is not None:
                found.setdefault(known, []).append(alert)
    return found


def _lines(rows: Sequence[Row], hours: Hours, alerts: Mapping[Known, Sequence[Alert]], now: datetime) -> Iterator[Line]:
    taken: set[str] = set()
    buckets = hours.buckets if hours.buckets is not None else [()] * len(rows)
    for row, own in zip(rows, buckets, strict=True):
        server, database, name = key = (text(row, "target"), text(row, "database"), text(row, "statement"))
        yield Line(
            target=server,
            database=database,
            statement=name,
            anchor=name if name not in taken and PLAIN.fullmatch(name) else None,
            kind=kind if (kind := text(row, "kind")) in KINDS else "unknown",
            share=number(row, "share"),
            total_seconds=number(row, "total_seconds"),
            mean_seconds=number(row, "mean_ms") / 1000,
            calls=number(row, "calls"),
            rows=number(row, "rows"),
            about=[(word, cut(said, NAMES)) for word in ("roles", "tables", "tags") if (said := text(row, word))],
            text=text(row, "text"),
            chart=hourly_means(own, now, HOURS, _slower(alerts.get(key, ()))),
            findings=alerts.get(key, ()),
            plan=cut(_plan(alerts.get(key, ())), NAMES),
        )
        taken.add(name)


def _slower(alerts: Iterable[Alert]) -> datetime | None:
    """Give when it was found to have become slower."""
    return min((alert.starts_at.astimezone(UTC) for alert in alerts if alert.finding.rule == REGRESSED), default=None)


def _plan(alerts: Iterable[Alert]) -> str:
    plans = (alert.finding.evidence.get(PLAN) for alert in alerts)
    return next((plan for plan in plans if isinstance(plan, str)), "")


def cut(whole: str, most: int) -> str:
    """Give the beginning of a text, with a mark where something is left out."""
    return whole if len(whole) <= most else whole[: most - 1] + "…"
