"""Asking the daemon's advisors: each of every database, as often as it wants, and soon while it lacks something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial

from monitor.daemon.desk import Desk
from monitor.errors import Needs
from monitor.model import Judgement, NoVerdict, Server, State, Target
from monitor.planning import Planner
from monitor.report.pages import Pages, Said
from monitor.rule import Advisor
from monitor.rules.evaluate import advise
from monitor.schedule import Schedule, Tasks
from monitor.standing import relatives

SOONEST = 20.0
"""Seconds: an advisor that is asked more seldom is tried this often until it has something to go by."""


class Advising:
    """Who is asked next, of what; `planner`, for a target, tells what would be with an index that is not there."""

    def __init__(self, desk: Desk, planner: Callable[[Target], Planner] | None = None) -> None:
        self._desk, self._planner = desk, planner
        self._next: dict[tuple[Target, str], float] = {}
        """When advisors that speak seldom are asked again, by target and rule."""
        self._lacking: dict[tuple[Target, str], Sequence[datetime]] = {}
        """Of which readings they said that these are too few."""
        self._turn = asyncio.Lock()
        """Of those that speak seldom one at a time: what each makes of ten thousand tables is gone before the next."""

    def begin(
        self,
        advisors: Iterable[Advisor],
        watched: Callable[[], Iterable[tuple[Server, Sequence[str]]]],
        schedule: Schedule,
        tasks: Tasks,
    ) -> None:
        """Ask these from now on, of all servers and their databases; all of them anew."""
        schedule.drop("advisor ")
        self._next.clear()
        self._lacking.clear()

        async def ask(advisor: Advisor) -> None:
            for server, databases in [*watched()]:
                await self.ask(server, advisor, databases)

        def ask_all(chosen: Sequence[Advisor]) -> None:
            for advisor in chosen:
                tasks.start(f"advisor {advisor.id}", partial(ask, advisor))

        paces: dict[float, list[Advisor]] = {}
        for advisor in advisors:
            paces.setdefault(min(advisor.every, SOONEST), []).append(advisor)
        for pace, chosen in paces.items():  # one trigger a pace, one awakening
            schedule.every(pace, f"advisor every {pace:g} s", partial(ask_all, chosen))

    async def ask(self, server: Server, advisor: Advisor, databases: Sequence[str]) -> None:
        """Let an advisor speak of each database that has been read, and that it has not spoken of for its time."""
        standings = self._desk.shelf.servers
        others = relatives(server, (each.server for each in standings.values()))
        for database in databases:
            target = Target(server.name, database)
            planner = self._planner(target) if self._planner is not None else None
            known = (self._desk.newest, self._desk.recorder.histories, planner)
            book = Pages(target, *known, relatives=others, said=self._said_of)
            if self._is_due(advisor, book):
                async with self._turn if advisor.every > SOONEST else nullcontext():
                    judgement = await advise(advisor, book)
                if server.name in standings:  # it may have gone meanwhile
                    self._said(advisor, book, judgement)
                    self._desk.judged(server, [judgement])

    def _said_of(self, target: Target, rule: str) -> Said:
        """Say what the ledger holds of a rule; only what is open has its evidence."""
        alerts = self._desk.ledger.of(target, rule)
        findings = [each.finding for each in alerts if each.state is not State.RESOLVED]
        return Said(findings=findings, cures=[each.cure for each in alerts if each.cure and each.outcome])

    def _is_due(self, advisor: Advisor, book: Pages) -> bool:
        readings, key = _readings(advisor, book), (book.target, advisor.id)
        if len(readings) < len(advisor.reads) or self._lacking.get(key) == readings:
            return False
        return self._desk.clock.monotonic() >= self._next.get(key, 0.0)

    def _said(self, advisor: Advisor, book: Pages, judgement: Judgement) -> None:
        """Let it rest for its time; one that only lacks history is asked again when there is a newer reading."""
        early = [each for each in judgement.verdicts if isinstance(each, NoVerdict) and each.needs is Needs.HISTORY]
        if advisor.every <= SOONEST:
            return
        if early and len(early) == len(judgement.verdicts):
            self._lacking[book.target, advisor.id] = _readings(advisor, book)
        else:
            self._next[book.target, advisor.id] = self._desk.clock.monotonic() + advisor.every - SOONEST / 2


def _readings(advisor: Advisor, book: Pages) -> Sequence[datetime]:
    """Say which readings there are, by their time."""
    return [seen.taken_at for name in advisor.reads if (seen := book.last(name)) is not None]
