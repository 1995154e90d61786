"""The databases an exam can be held in: each is made, put to work, and has a text of what is right there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from monitor.embedded import EmbeddedServer
from tests.exam import world
from tests.exam.bank import BUSY, KEYLESS, SHIPPED
from tests.exam.model import Exam
from tests.exam.trade import ANALYSING
from tests.exam.wholesale import DELIVERING
from tests.exam.world import EXAM, Say


class World(Protocol):
    """A database and its work."""

    @property
    def exam(self) -> Exam: ...

    async def load(self, running: EmbeddedServer, scale: float) -> str:
        """Make the database; give its DSN."""

    async def work(self, dsn: str, say: Say) -> None:
        """Set the counters to nothing, and work."""


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """A world that is made by the files of its schools and works by their shapes."""

    exam: Exam

    async def load(self, running: EmbeddedServer, scale: float) -> str:
        return await world.load(running, scale, self.exam)

    async def work(self, dsn: str, say: Say) -> None:
        await world.work(dsn, say, self.exam)


WORLDS: Mapping[str, World] = {
    each.exam.name: each
    for each in (
        Scripted(exam=EXAM),
        Scripted(exam=DELIVERING),
        Scripted(exam=ANALYSING),
        SHIPPED,
        BUSY,
        KEYLESS,
    )
}
