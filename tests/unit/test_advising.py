"""When the desk asks advisors: soon while they have nothing to go by, then as seldom as they want."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from monitor.collect.runner import Clock
from monitor.daemon.advising import SOONEST, Advising
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.errors import Needs
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Area, Finding, NoVerdict, Result, Secret, Server, Target
from monitor.rule import Advisor, Book
from monitor.schedule import Schedule, Tasks
from monitor.standing import ServerStanding

SERVER = Server(name="test", dsn=Secret("postgresql://db"))
SHOP = Target("test", "shop")
HALF_AN_HOUR = 1800.0


@dataclass(frozen=True, kw_only=True)
class Seldom(Advisor):
    """Something is wrong.

    Why: it is a test.
    What to do: nothing.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "tests.seldom"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("shape",)
    every: float = HALF_AN_HOUR
    needs: list[Needs | None] = field(default_factory=list)
    """What it says when asked; it runs out by one each time."""

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        assert book.last("shape") is not None
        return [NoVerdict(reason="so", needs=self.needs.pop(0))]


class Watch:
    """A desk, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=lambda: self.seconds)
        self.desk = Desk(Ledger(), Exposition(), clock, Pending())
        self.advising = Advising(self.desk)
        self.desk.shelf.servers[SERVER.name] = ServerStanding(SERVER, spent=lambda: 0.0)

    def read(self) -> None:
        seen = Measurement(target=SHOP, probe="shape", taken_at=datetime.now(UTC), result=Result.OK, rows=())
        self.desk.newest[SHOP, "shape"] = seen

    async def after(self, seconds: float, advisor: Seldom) -> int:
        """Let time go by and trigger; give how often it has still to be asked."""
        self.seconds += seconds
        await self.advising.ask(SERVER, advisor, ["shop"])
        return len(advisor.needs)


async def test_nobody_is_asked_before_what_he_reads_is_there() -> None:
    watch, advisor = Watch(), Seldom(needs=[None])
    assert await watch.after(1, advisor) == 1
    watch.read()
    assert await watch.after(1, advisor) == 0


async def test_one_that_lacks_history_is_asked_with_the_next_trigger_that_has_a_newer_reading() -> None:
    watch, advisor = Watch(), Seldom(needs=[Needs.HISTORY, Needs.HISTORY, None, None])
    left = []
    for turn in range(10):
        if turn % 2 == 0:
            watch.read()
        left.append(await watch.after(SOONEST, advisor))
    assert left == [3, 3, 2, 2, *[1] * 6]


async def test_one_that_spoke_is_asked_again_when_its_time_has_gone_by() -> None:
    """Each database by itself; what could not be judged for other reasons than history waits as well."""
    watch, advisor = Watch(), Seldom(needs=[Needs.RIGHTS, None])
    watch.read()
    assert await watch.after(1, advisor) == 1
    assert await watch.after(HALF_AN_HOUR / 2, advisor) == 1
    assert await watch.after(HALF_AN_HOUR / 2, advisor) == 0


async def test_after_a_reload_everybody_is_asked_anew() -> None:
    watch, advisor = Watch(), Seldom(needs=[None, None])
    watch.read()
    assert await watch.after(1, advisor) == 1
    watch.advising.begin([], list, Schedule(), Tasks())
    assert await watch.after(1, advisor) == 0


@dataclass(frozen=True, kw_only=True)
class Thinking(Seldom):
    """Something takes long.

    Why: it is a test.
    What to do: nothing.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "tests.thinking"
    log: list[str] = field(default_factory=list)

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        self.log.append(f"{self.every:g} begins")
        await asyncio.sleep(0)
        self.log.append(f"{self.every:g} ends")
        return ()


async def test_those_who_speak_seldom_do_it_one_after_the_other_and_hold_up_nobody_else() -> None:
    """What each takes of memory is free again; who speaks every few seconds does not wait for them."""
    watch, log = Watch(), list[str]()
    watch.read()
    asked = (watch.after(0, Thinking(every=every, log=log)) for every in (600.0, 1800.0, 15.0))
    await asyncio.gather(*asked)
    assert log.index("600 ends") < log.index("1800 begins")
    assert log.index("15 begins") < log.index("600 ends")
