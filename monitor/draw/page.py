"""The pages as bytes, each from what is handed in and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from monitor.draw import fleet
from monitor.draw.evidence import told
from monitor.draw.health import STATES, firing_by_server, health
from monitor.draw.listing import SORTS, Listing
from monitor.draw.outlook import remarks, unknowns
from monitor.draw.overview import FEW, front
from monitor.draw.search import CHOICES, ORDERS, Found
from monitor.draw.sheets import Sheets
from monitor.draw.statements import HOURS, view
from monitor.history.trend import Course
from monitor.model import Alert, State
from monitor.rule import HEADINGS, Judge
from monitor.status import Glance, Hours, Part, Past, TargetStatus

FIRST = 100
"""Entries of a long list on a page."""
LETTERS = 25
"""Messages that were given up, on a page."""
STEPS = 50
"""Steps of a finding's past on its page, the newest."""
REFRESH = 15
"""Seconds after which the first page asks for itself again where no script runs."""
RELATED = 10
"""Other findings about the same object, on a finding's page."""
NAMED = 300
"""Targets that are offered for choice."""

SCOPES: Final[Mapping[str, str]] = MappingProxyType(
    {"finding": "this finding", "rule": "its rule, on this target", "target": "all of this target"}
)
"""What can be silenced from a finding's page."""
SPANS: Final[Mapping[str, str]] = MappingProxyType({"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "1 week"})
"""For how long."""
DONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ack": "Acknowledged: nobody is told of it again until it is over or worse.",
        "unack": "The ack was taken back.",
        "silence": "Silenced: nobody is told of it until the silence ends.",
        "unsilence": "The silence was ended.",
    }
)
"""What a page says after a change."""


@dataclass(frozen=True, kw_only=True)
class Leave:
    """What who asks may do with a finding: `token` goes into its forms (None: nothing); `done` is what was done.

    `private`: may see ids of the rows that it counts.
    """

    token: str | None = None
    done: str = ""
    private: bool = False


NONE = Leave()


class Drawer:
    """Draws pages for one catalogue of rules; `refused` says why the configuration is not the one that runs."""

    def __init__(self, rules: Mapping[str, Judge], refused: Callable[[], str] = str) -> None:
        self._rules, self._sheets, self._refused = rules, Sheets(), refused

    def page(self, template: str, glance: Glance, **context: object) -> bytes:
        """Draw any page of a moment that keeps itself up to date; it knows `marks`, and `revision`."""
        known = {"revision": glance.shelf.revision, "marks": glance.marks}
        return self._told(template, glance.now, **{**known, **context})

    def _told(self, template: str, now: datetime, **context: object) -> bytes:
        """Draw a page for who may know how the monitor itself fares."""
        return self._sheets.fill(template, now, refused=self._refused(), **context)

    def overview(self, glance: Glance, *, refresh: bool) -> bytes:
        """Draw the first page."""
        live = {} if refresh else {"revision": None}
        return self.page(
            "overview.html", glance, **front(glance, self._rules), refresh=REFRESH if refresh else None, **live
        )

    def findings(self, glance: Glance, found: Found) -> bytes:
        """Draw one page of the findings that were searched for."""
        return self.page(
            "findings.html",
            glance,
            found=found,
            choices=CHOICES,
            orders=ORDERS,
            targets=[target.server for target in glance.shelf.targets()[:NAMED]],
            remarks=() if found.total else remarks(glance.shelf, self._rules),
        )

    def finding(
        self, glance: Glance, alert: Alert, past: Past, leave: Leave = NONE, course: Course | None = None
    ) -> bytes:
        """Draw one finding, what keeps it quiet, its past, and the forms of who may change something."""
        steps = past.steps or ()
        return self.page(
            "finding.html",
            glance,
            alert=alert,
            keys=alert.finding.keys if leave.private else (),
            silence=glance.handling.silenced_by(alert, glance.now),
            source=glance.handling.inhibited_by(alert),
            past=past,
            trend=told(alert, course, glance.now) if course else None,
            steps=list(reversed(steps))[:STEPS],
            earlier=max(0, len(steps) - STEPS),
            related=related(alert, glance.shelf.alerts()),
            known_rule=alert.finding.rule in self._rules,
            token=leave.token,
            done=DONE.get(leave.done, ""),
            scopes=SCOPES,
            spans=SPANS,
        )

    def statements(self, glance: Glance, listed: Listing, hours: Hours, window_seconds: float) -> bytes:
        """Draw one page of the busiest statements, whose figures are of a window of so many seconds."""
        return self.page(
            "statements.html",
            glance,
            view=view(glance, listed, hours),
            sorts=[*SORTS],
            hours=HOURS,
            window=window_seconds,
            first=FIRST,
        )

    def targets(self, glance: Glance, wanted: fleet.Wanted) -> bytes:
        """Draw one page of the targets that are asked for."""
        fitting = fleet.chosen(glance.shelf.targets(), wanted, glance.now)
        firing = firing_by_server([each for each in glance.shelf.alerts() if each.state is State.FIRING])
        unknown: dict[str, set[str]] = {}
        for each in glance.shelf.not_evaluated():
            unknown.setdefault(each.target.server, set()).add(each.rule)
        begin = (wanted.page - 1) * fleet.SHOWN
        return self.page(
            "targets.html",
            glance,
            wanted=wanted,
            states=STATES,
            shown=[
                (each, health(each, glance.now), firing.get(each.server, ""), len(unknown.get(each.server, ())))
                for each in fitting[begin : begin + fleet.SHOWN]
            ],
            total=len(fitting),
            pages=_pages(len(fitting), fleet.SHOWN),
        )

    def target(self, glance: Glance, target: TargetStatus) -> bytes:
        """Draw one target: what is wrong there, what could not be judged, and how each probe fares."""
        own = [each for each in glance.shelf.alerts() if each.finding.target.server == target.server]
        said = [each for each in glance.shelf.not_evaluated() if each.target.server == target.server]
        return self.page(
            "target.html",
            glance,
            target=target,
            health=health(target, glance.now),
            firing=[each for each in own if each.state is State.FIRING],
            unknown=unknowns(said),
            few=FEW,
            first=FIRST,
        )

    def audit(self, glance: Glance, part: Part, page: int) -> bytes:
        """Draw one page of who changed what."""
        return self._part("audit.html", "/audit", glance, (part, page, FIRST))

    def dead_letters(self, glance: Glance, part: Part, page: int) -> bytes:
        """Draw one page of the messages that were given up."""
        return self._part("dead_letters.html", "/dead-letters", glance, (part, page, LETTERS))

    def _part(self, template: str, path: str, glance: Glance, shown: tuple[Part, int, int]) -> bytes:
        """Draw a page of a list that is read in parts: which part it is, and how many entries each has."""
        part, page, each = shown
        at = f"{path}?page={{}}".format
        return self.page(template, glance, part=part, page=page, pages=_pages(part.total, each), at=at)

    def migrations(self, now: datetime) -> bytes:
        """Draw the place that is kept for migrations."""
        return self._told("migrations.html", now)

    def rules(self, now: datetime) -> bytes:
        """Draw the list of rules."""
        return self._told("rules.html", now, rules=[self._rules[name] for name in sorted(self._rules)])

    def rule(self, name: str, now: datetime) -> bytes:
        """Draw a rule's manual page; raises KeyError for an unknown one."""
        judge = self._rules[name]
        manual = judge.manual()
        chapters: Sequence[tuple[str, str]] = [(each, manual[each]) for each in HEADINGS if each in manual]
        return self._told("rule.html", now, judge=judge, fault=manual["fault"], chapters=chapters)

    def message(self, title: str, text: str, now: datetime) -> bytes:
        """Draw a page that only says something, such as that there is no such page; also for who has not signed in."""
        return self._sheets.fill("message.html", now, title=title, text=text)


def related(alert: Alert, alerts: Sequence[Alert]) -> list[Alert]:
    """Give other findings about the same object that are not over."""
    about, finding = alert.finding.object, alert.finding
    if not about.name:
        return []
    same = (
        each
        for each in alerts
        if (each.finding.object.schema, each.finding.object.name) == (about.schema, about.name)
        and each.finding.target == finding.target
        and each.state is not State.RESOLVED
        and each.finding.fingerprint != finding.fingerprint
    )
    return [each for each, _ in zip(same, range(RELATED), strict=False)]


def _pages(total: int, each: int) -> int:
    return max(1, -(-total // each))
