"""The pages as bytes: templates compiled once, everything escaped, nothing read but what is handed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.draw import auth, pools, tables
from monitor.draw.canvas import Canvas, Courses
from monitor.draw.evidence import told
from monitor.draw.listing import SORTS, Listing, row_of, statements_of
from monitor.draw.outlook import outlook
from monitor.draw.plot import WRITE
from monitor.draw.statements import HOURS, view
from monitor.draw.words import ago, ahead, evidence, figure, stamp, visible, when
from monitor.measurement import duration, plural
from monitor.model import Alert
from monitor.rule import HEADINGS, Judge
from monitor.status import Glance, Hours, Part, Past, Shelf, TargetStatus
from monitor.trend import Course

if TYPE_CHECKING:
    from jinja2 import Environment

FIRST = 100
"""Findings on the first page, and on each further one."""
LETTERS = 25
"""Messages that were given up, on a page."""
STEPS = 50
"""Steps of a finding's past on its page, the newest."""
REFRESH = 15
"""Seconds after which a live page asks for itself again."""
STATIC = {"style.css": "text/css", "icon.svg": "image/svg+xml"}


def static() -> Mapping[str, bytes]:
    """Give the files the pages refer to."""
    return {name: files("monitor.draw").joinpath("static", name).read_bytes() for name in STATIC}


class Drawer:
    """Draws pages for one catalogue of rules."""

    def __init__(self, rules: Mapping[str, Judge]) -> None:
        self._rules = rules

    @cached_property
    def _environment(self) -> Environment:
        """The templates' room; most daemons are scraped and never looked at, and do without its 2 MiB."""
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - see above

        environment = Environment(
            loader=PackageLoader("monitor.draw"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=visible,
        )
        environment.filters.update(
            amount=WRITE[""],
            bytes=WRITE["bytes"],
            duration=duration,
            evidence=evidence,
            figure=figure,
            plural=plural,
            rate=WRITE["rate"],
            row_of=row_of,
            statements_of=statements_of,
            stamp=stamp,
            when=when,
        )
        style = sha256(b"".join(static().values())).hexdigest()[:8]
        environment.globals.update(version=__version__, style=style, refresh=None)
        return environment

    def overview(self, glance: Glance, *, refresh: bool) -> bytes:
        """Draw the first page."""
        return self._draw(
            "overview.html",
            glance.now,
            view=outlook(glance.shelf, self._rules),
            silences=glance.handling.silences(glance.now),
            receivers=glance.handling.receivers(),
            marks=glance.marks,
            first=FIRST,
            refresh=REFRESH if refresh else None,
        )

    def findings(self, glance: Glance, page: int) -> bytes:
        """Draw one page of all findings, suspected and resolved ones too."""
        view = outlook(glance.shelf, self._rules)
        everything = (*view.firing, *view.suspected, *view.resolved)
        pages = _pages(len(everything), FIRST)
        shown = everything[(page - 1) * FIRST : page * FIRST]
        return self._draw(
            "findings.html",
            glance.now,
            view=view,
            marks=glance.marks,
            shown=shown,
            page=page,
            pages=pages,
            total=len(everything),
        )

    def finding(self, glance: Glance, alert: Alert, past: Past, course: Course | None = None) -> bytes:
        """Draw one finding, what keeps it quiet, and its past."""
        steps = past.steps or ()
        return self._draw(
            "finding.html",
            glance.now,
            alert=alert,
            marks=glance.marks(alert),
            silence=glance.handling.silenced_by(alert, glance.now),
            source=glance.handling.inhibited_by(alert),
            past=past,
            trend=told(alert, course, glance.now) if course else None,
            steps=list(reversed(steps))[:STEPS],
            earlier=max(0, len(steps) - STEPS),
        )

    def statements(self, glance: Glance, listed: Listing, hours: Hours, window_seconds: float) -> bytes:
        """Draw one page of the busiest statements, whose figures are of a window of so many seconds."""
        return self._draw(
            "statements.html",
            glance.now,
            view=view(glance, listed, hours),
            marks=glance.marks,
            sorts=[*SORTS],
            hours=HOURS,
            window=window_seconds,
            first=FIRST,
        )

    def pools(self, glance: Glance, scene: pools.Scene, courses: Courses) -> bytes:
        """Draw connection slots and pools."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        return self._charted("pools.html", glance, scene, canvas, charts=pools.charts(scene, canvas), sorts=pools.SORTS)

    def tables(self, glance: Glance, scene: tables.Scene, courses: Courses) -> bytes:
        """Draw tables and indexes."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        course = partial(tables.course, now=glance.now)
        plots, sorts = tables.charts(scene, canvas), [*tables.SORTS]
        return self._charted("tables.html", glance, scene, canvas, charts=plots, sorts=sorts, course=course)

    def auth(self, glance: Glance, scene: auth.Scene, courses: Courses) -> bytes:
        """Draw links, sweeps, accounts, sessions and sign-ups."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        return self._charted("auth.html", glance, scene, canvas, charts=auth.charts(scene, canvas))

    def _charted(self, template: str, glance: Glance, scene: object, canvas: Canvas, **context: object) -> bytes:
        return self._draw(
            template, glance.now, scene=scene, marks=glance.marks, no_hours=canvas.reason, first=FIRST, **context
        )

    def audit(self, glance: Glance, part: Part, page: int) -> bytes:
        """Draw one page of who changed what."""
        return self._draw("audit.html", glance.now, part=part, page=page, pages=_pages(part.total, FIRST))

    def dead_letters(self, glance: Glance, part: Part, page: int) -> bytes:
        """Draw one page of the messages that were given up."""
        return self._draw("dead_letters.html", glance.now, part=part, page=page, pages=_pages(part.total, LETTERS))

    def targets(self, shelf: Shelf, now: datetime) -> bytes:
        """Draw all targets with their probes."""
        return self._draw("targets.html", now, targets=grouped(shelf.targets()), refresh=REFRESH)

    def rules(self, now: datetime) -> bytes:
        """Draw the list of rules."""
        return self._draw("rules.html", now, rules=[self._rules[name] for name in sorted(self._rules)])

    def rule(self, name: str, now: datetime) -> bytes:
        """Draw a rule's manual page; raises KeyError for an unknown one."""
        judge = self._rules[name]
        manual = judge.manual()
        chapters: Sequence[tuple[str, str]] = [(each, manual[each]) for each in HEADINGS if each in manual]
        return self._draw("rule.html", now, judge=judge, fault=manual["fault"], chapters=chapters)

    def message(self, title: str, text: str, now: datetime) -> bytes:
        """Draw a page that only says something, such as that there is no such page."""
        return self._draw("message.html", now, title=title, text=text)

    def _draw(self, template: str, now: datetime, **context: object) -> bytes:
        page = self._environment.get_template(template).render(
            now=now, ago=partial(ago, now=now), ahead=partial(ahead, now=now), **context
        )
        return page.encode("utf-8", "replace")


def _pages(total: int, each: int) -> int:
    return max(1, -(-total // each))


def grouped(targets: Sequence[TargetStatus]) -> list[TargetStatus]:
    """Put each server's replicas after it, and theirs after them; whose primary is not watched stands by itself."""
    names = {target.server for target in targets}
    below: dict[str | None, list[TargetStatus]] = {}
    for target in targets:
        below.setdefault(target.replica_of if target.replica_of in names else None, []).append(target)

    def under(name: str | None) -> Iterator[TargetStatus]:
        for target in below.get(name, ()):
            yield target
            yield from under(target.server)

    return list(under(None))
