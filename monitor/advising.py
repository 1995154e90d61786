"""Asking the daemon's advisors: each of every database, as often as it wants, and soon while it lacks something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from monitor.desk import Desk
from monitor.errors import Needs
from monitor.model import Judgement, NoVerdict, Server, Target
from monitor.planning import Planner
from monitor.report.pages import Pages
from monitor.rule import Advisor
from monitor.rules.evaluate import advise
from monitor.schedule import Schedule, Tasks
from monitor.standing import relatives

SOONEST = 60.0
"""Seconds: an advisor that is asked more seldom is tried this often until it has something to go by."""


class Advising:
    """Who is asked next, of what; `planner` tells what a planner would do with an index that is not there."""

    def __init__(self, desk: Desk, planner: Planner | None = None) -> None:
        self._desk, self._planner = desk, planner
        self._next: dict[tuple[Target, str], float] = {}
        """When advisors that speak seldom are asked again, by target and rule."""

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

        def trigger(advisor: Advisor) -> Callable[[], None]:
            async def ask() -> None:
                for server, databases in [*watched()]:
                    await self.ask(server, advisor, databases)

            return lambda: tasks.start(f"advisor {advisor.id}", ask)

        for advisor in advisors:
            schedule.every(min(advisor.every, SOONEST), f"advisor {advisor.id}", trigger(advisor))

    async def ask(self, server: Server, advisor: Advisor, databases: Sequence[str]) -> None:
        """Let an advisor speak of each database that has been read, and that it has not spoken of for its time."""
        standings = self._desk.shelf.servers
        others = relatives(server, (each.server for each in standings.values()))
        for database in databases:
            target = Target(server.name, database)
            book = Pages(target, self._desk.newest, self._desk.recorder.histories, self._planner, relatives=others)
            if self._is_due(advisor, book):
                judgement = await advise(advisor, book)
                if server.name in standings:  # it may have gone meanwhile
                    self._said(advisor, target, judgement)
                    self._desk.judged(server, [judgement])

    def _is_due(self, advisor: Advisor, book: Pages) -> bool:
        if any(book.last(name) is None for name in advisor.reads):
            return False
        return self._desk.clock.monotonic() >= self._next.get((book.target, advisor.id), 0.0)

    def _said(self, advisor: Advisor, target: Target, judgement: Judgement) -> None:
        """Let it rest for its time; one that only lacks history is asked with the next trigger."""
        early = [each for each in judgement.verdicts if isinstance(each, NoVerdict) and each.needs is Needs.HISTORY]
        if advisor.every > SOONEST and (not early or len(early) < len(judgement.verdicts)):
            self._next[target, advisor.id] = self._desk.clock.monotonic() + advisor.every - SOONEST / 2
