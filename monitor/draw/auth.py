"""The page of auth: links between users and tables, sweeps, states of accounts, sessions and tokens, sign-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.draw.about import firing, remarks, unsaid
from monitor.draw.asked import Asked, Sheet, sheet
from monitor.draw.canvas import Canvas
from monitor.draw.outlook import Unknown, named
from monitor.draw.plot import MOST, Plot
from monitor.history.trend import Line, Trends
from monitor.kinds import POSTGRES
from monitor.model import Alert
from monitor.status import Glance

ORPHANS, SWEEPS, STATES = "auth_links.orphans", "auth_links.sweeps", "auth_states.rows"
USERS, TURN, SESSIONS, SIGNUPS = (
    "auth_accounts.users",
    "auth_accounts.sweep",
    "auth_sessions.rows",
    "auth_signups.inserted",
)
SIGHT = "auth_links.sight"
EVERYTHING = (SIGHT, ORPHANS, SWEEPS, STATES, USERS, TURN, SESSIONS, SIGNUPS)
FAMILIES = ("auth.", "auth_links.")
PROBES = {POSTGRES: "auth_links"}
LINKS = 100
"""Links that are listed of one database."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One link: rows without their user, users without their row, and how far the look at it is."""

    subject: str
    origin: str
    orphans: float | None
    missing: float | None
    progress: float | None
    age: float | None
    findings: Sequence[Alert]
    states: Sequence[tuple[str, float]]
    """Rows that disagree with their user's state, those that there are."""


BY: Mapping[str, tuple[str, str]] = {
    "functions": (
        "lent functions",
        "through functions lent by monitor grants --auth functions, which give counts only",
    ),
    "policy": ("a policy", "by the monitor's own role, under a policy that shows it every row"),
    "bypassrls": ("BYPASSRLS", "by the monitor's own role, which has BYPASSRLS"),
    "superuser": ("superuser", "by the monitor's own role, which is a superuser and needs far less: monitor grants"),
    "owner": ("owner", "by the monitor's own role, which has the rights of the table's owner"),
    "open": ("no row security", "by the monitor's own role: no row level security guards it"),
}
"""By which way a table is seen, in short and in words."""


@dataclass(frozen=True, kw_only=True)
class House:
    """One database with users in it."""

    server: str
    database: str
    lines: Sequence[Line]
    findings: Sequence[Alert]

    def of(self, trend: str) -> list[Line]:
        """Give what is kept of one kind."""
        return [line for line in self.lines if line.trend == trend]

    @property
    def sight(self) -> str:
        """Say in short by which way the users are seen; empty: it is not known."""
        own = [line for line in self.of(SIGHT) if line.key["of"] == "users"]
        return next((_way(line)[0] for line in own), "")

    @property
    def sights(self) -> Sequence[tuple[bool, str]]:
        """Say by which way each table is seen, the users first; false stands beside what is not."""
        groups: dict[tuple[bool, str], list[str]] = {}
        for line in sorted(self.of(SIGHT), key=lambda line: line.key["of"] != "users"):
            seen = bool(line.values.get("seen"))
            groups.setdefault((seen, _way(line)[1]), []).append(line.key["table"])
        return [
            (seen, f"{named(tables)} {'is' if len(tables) == 1 else 'are'} {'seen ' if seen else 'not seen: '}{words}.")
            for (seen, words), tables in groups.items()
        ]

    def total(self, trend: str, column: str) -> float | None:
        """Add up what is known of one kind; None: nothing is."""
        known = [value for line in self.of(trend) if (value := line.number(column)) is not None]
        return sum(known) if known else None

    @property
    def links(self) -> list[Link]:
        """Give the links, those with most rows without a user first."""
        sweeps = {line.key["link"]: line for line in self.of(SWEEPS)}
        names = dict.fromkeys([line.key["link"] for line in self.of(ORPHANS)] + [*sweeps])
        found = [self._link(name, sweeps.get(name)) for name in names if name]
        return sorted(found, key=lambda link: (-(link.orphans or 0) - (link.missing or 0), link.subject))[:LINKS]

    def _link(self, name: str, sweep: Line | None) -> Link:
        ways = {line.key["direction"]: line for line in self.of(ORPHANS) if line.key["link"] == name}
        counts = {way: line.number("orphans") for way, line in ways.items()}
        own = [line for line in self.of(STATES) if line.key["link"] == name]
        return Link(
            subject=name,
            origin=ways["profile"].words.get("origin", "") if "profile" in ways else "",
            orphans=counts.get("profile"),
            missing=counts.get("user"),
            progress=sweep.number("sweep_progress_ratio") if sweep else None,
            age=sweep.number("sweep_age_seconds") if sweep else None,
            findings=[each for each in self.findings if each.finding.subject == name],
            states=[(line.key["state"], rows) for line in own if (rows := line.number("rows"))],
        )


def _way(line: Line) -> tuple[str, str]:
    """Give by which way a table is seen, in short and in words; why, where it is not."""
    if not line.values.get("seen"):
        return "not at all", line.words.get("reason", "nobody said why")
    way = line.words.get("way", "")
    return BY.get(way, (way, way))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What stands on the page, but for the charts, whose courses are still to be read."""

    sheet: Sheet[House]
    chosen: House | None
    charted: Sequence[Line]
    findings: Sequence[Alert]
    """Of the chosen database, those that are not about one of its links."""
    remarks: Sequence[str]
    unknown: Sequence[Unknown]
    watched: bool


def scene(glance: Glance, trends: Trends, asked: Asked) -> Scene:
    """Put together what is known now."""
    alerts = firing(glance.shelf.alerts(), FAMILIES, asked.target)
    by_house: dict[tuple[str, str], list[Line]] = {}
    for trend in EVERYTHING:
        for line in trends.lines(trend, asked.target or None):
            if asked.database in {"", line.database}:
                by_house.setdefault((line.server, line.database or ""), []).append(line)
    houses = [
        House(
            server=server,
            database=database,
            lines=lines,
            findings=[each for each in alerts.get(server, ()) if each.finding.target.database in {None, database}],
        )
        for (server, database), lines in by_house.items()
    ]
    houses.sort(key=lambda house: (-len(house.findings), house.server, house.database))
    chosen = houses[0] if len(houses) == 1 else None
    linked = {each.finding.fingerprint for link in chosen.links for each in link.findings} if chosen else set()
    return Scene(
        sheet=sheet(houses, asked),
        chosen=chosen,
        charted=_charted(chosen) if chosen else (),
        findings=[each for each in chosen.findings if each.finding.fingerprint not in linked] if chosen else (),
        remarks=[*remarks(glance, PROBES, asked.target)],
        unknown=unsaid(glance, FAMILIES, asked.target),
        watched=bool(glance.shelf.targets()),
    )


ROWS = ("live", "expired", "revoked")
WAYS = {"profile": "rows without user", "user": "users without row"}


def _charted(house: House) -> list[Line]:
    """Give the lines that are drawn, of links and states those with most."""
    orphans = sorted(
        (line for line in house.of(ORPHANS) if line.key["direction"] in WAYS),
        key=lambda line: -line.values.get("orphans", 0.0),
    )
    users = sorted(house.of(USERS), key=lambda line: -line.values.get("users", 0.0))
    return [*orphans[:MOST], *users[:MOST], *house.of(SESSIONS), *house.of(SIGNUPS)]


def charts(seen: Scene, canvas: Canvas) -> list[Plot]:
    """Draw the chosen database's figures."""
    if seen.chosen is None:
        return []
    orphans, users, tables, signups = (
        [line for line in seen.charted if line.trend == trend] for trend in (ORPHANS, USERS, SESSIONS, SIGNUPS)
    )
    rows = [(line, name) for line in tables for name in ROWS if line.number(name) is not None]
    return [
        *canvas.plot(
            "Links: who is missing",
            [canvas.series(f"{line.key['link']}: {WAYS[line.key['direction']]}", line, "orphans") for line in orphans],
        ),
        *canvas.plot("Accounts by state", [canvas.series(line.key["state"], line, "users") for line in users]),
        *canvas.plot(
            "Sessions and tokens",
            [canvas.series(f"{line.key['table']}: {name}", line, name) for line, name in rows],
        ),
        *(
            drawn
            for line in signups
            for drawn in canvas.plot(
                "New rows",
                [canvas.series(name.replace("_", " "), line, name) for name in ("users", "sessions", "refresh_tokens")],
                unit="rate",
            )
        ),
    ]
