"""Looking at the rows of links, slice by slice: what is due, at whose cost, and what is remembered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.probe import (
    Needs,
    ProbeError,
    ProbeSkipped,
    ProbeTimeout,
    Session,
    TargetDenied,
    sight_states,
)
from probes.auth_sight import Way, seeing
from probes.auth_states_slices import COUNTS, Kept, Slices, Turn
from probes.auth_states_traits import Link, StateReading
from probes.auth_sweep import Sweep, Sweeps

FIRST_SECONDS = 3.0
"""The first run may take so long: a snapshot has but one, and the daemon is to say something soon."""
SMALL = 5000  # rows; a table of no more is read each time: 50 ms at most
REST = 6000  # a dearer one rests so many times as long as it took, while nothing changed: 10 ms of a minute
LEAST_REST = 600.0  # the server's counters may lag behind idle sessions


class States:
    """The links' memories on one database, beside their sweeps."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self.begun = False

    def of(self, link: Link) -> Kept:
        """Give what is remembered of a link."""
        return self._kept.setdefault(link.name, Kept())

    def only(self, links: Sequence[Link]) -> None:
        """Forget the links that are there no more."""
        names = {link.name for link in links}
        self._kept = {name: kept for name, kept in self._kept.items() if name in names}


@dataclass(frozen=True, kw_only=True)
class Eye:
    """A way to see that shows all users; `blind` says what hides their addresses from it."""

    way: Way
    blind: str

    async def hidden(self, schema: str, table: str, columns: Sequence[str]) -> str:
        """Say what hides a table."""
        return await self.way.hidden(schema, table, columns)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads the links of one database in one run."""

    session: Session
    grace: float
    eyes: Sequence[Eye]
    sweeps: Sweeps
    states: States
    has_deletion: bool
    first_seconds: float = FIRST_SECONDS
    seconds: float
    """What a later run may take."""

    async def all(self, links: Sequence[Link]) -> list[StateReading]:
        """Look at what is due, the longest forgotten first; one slice of each before more of any."""
        self.states.only(links)
        self.sweeps.only([link.name for link in links])
        ends = time.monotonic() + (self.seconds if self.states.begun else self.first_seconds)
        self.states.begun = True
        waiting = sorted((link for link in links if self._due(link)), key=lambda link: self.states.of(link).at)
        for place, link in enumerate(waiting):
            if place == 0 or time.monotonic() < ends:
                await self._look(link, 0)
        turning = [link for link in waiting if self._of(link).turning and self.states.of(link).failure is None]
        for place, link in enumerate(turning):
            left = (ends - time.monotonic()) / (len(turning) - place)
            if left > 0:
                await self._look(link, left)
        return [self._reading(link) for link in links]

    def _of(self, link: Link) -> Sweep:
        return self.sweeps.of(link.name)

    def _due(self, link: Link) -> bool:
        kept, sweep = self.states.of(link), self._of(link)
        if kept.failure is not None or sweep.turning or not sweep.whole or sweep.rows <= SMALL:
            return True
        if self.session.facts.in_recovery or kept.state != link.traits.state or time.time() >= kept.changes_at:
            return True
        return time.monotonic() - kept.at >= max(LEAST_REST, REST * kept.took)

    async def _look(self, link: Link, seconds: float) -> None:
        """Look at slices of a link; a failure is this link's alone."""
        kept = self.states.of(link)
        kept.failure, kept.at = None, time.monotonic()
        try:
            await self._swept(link, kept, seconds)
        except ProbeTimeout as error:
            kept.failure = _failed(link, f"{link.column.relation}: {error}", Needs.TIME)
        except ProbeSkipped as error:
            kept.failure = _failed(link, str(error), error.needs or Needs.TIME)
        except TargetDenied as error:
            kept.failure = _failed(link, str(error), Needs.RIGHTS)
        except ProbeError as error:
            kept.failure = _failed(link, f"{link.column.relation}: {error}", Needs.REPAIR)

    async def _swept(self, link: Link, kept: Kept, seconds: float) -> None:
        eye, kept.unseen = await self._eye(link)
        sweep = self._of(link)
        if kept.turn is None or not sweep.turning:
            kept.turn = Turn(state=None if sweep.turning else link.traits.state)
        slices = Slices(way=eye.way, link=link, kept=kept, grace=self.grace, compares=not kept.unseen)
        await sweep.run(slices, seconds)
        if not sweep.turning:
            turn, kept.turn = kept.turn, None
            kept.took, kept.state, kept.changes_at, kept.days = turn.took, turn.state, turn.changes_at, turn.days

    async def _eye(self, link: Link) -> tuple[Eye, str]:
        """Give the way to read a link's table, best with the addresses, and what hides those."""
        schema, table, column = link.column.place
        able, hidden = await seeing(self.eyes, schema, table, [column, *sight_states.ADDRESSED, *link.traits.gone])
        if hidden:
            raise ProbeSkipped(hidden, Needs.RIGHTS)
        why = ""
        for eye in able if link.email is not None else ():
            why = eye.blind or await eye.hidden(schema, table, [str(link.email)])
            if not why:
                return eye, ""
        return able[0], why

    def _reading(self, link: Link) -> StateReading:
        kept, sweep = self.states.of(link), self._of(link)
        if kept.failure is not None:
            return kept.failure
        if not sweep.whole and not sweep.turning:
            return _failed(link, f"{link.column.relation} was not looked at yet", Needs.TIME)
        return StateReading(
            link=link,
            counts={name: sweep.total(name) for name in COUNTS},
            days=kept.days,
            share=1.0 if sweep.whole else min(1.0, kept.reached / max(1, kept.blocks)),
            whole=sweep.whole,
            turned_at=sweep.turned_at,
            has_deletion=self.has_deletion,
            unseen=_uncompared(kept, sweep),
            undoubled=_undoubled(link) if sweep.total("undoubled") else "",
        )


def _failed(link: Link, reason: str, needs: Needs) -> StateReading:
    return StateReading(link=link, reason=reason, needs=needs)


def _uncompared(kept: Kept, sweep: Sweep) -> str:
    if not sweep.total("uncompared"):
        return ""
    return kept.unseen or "rights to read addresses are new: the table is read once more"


def _undoubled(link: Link) -> str:
    column = link.column
    return f"no index of {column.relation} begins with {column.column}: two rows of a user cannot be told in slices"
