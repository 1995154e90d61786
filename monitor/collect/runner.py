"""Running one probe on one target: needs, reading, growth, detail; every ending becomes a Measurement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog

from monitor.collect.identity import goes_on, identity
from monitor.collect.joints import Joints
from monitor.collect.rates import Growth, Rates
from monitor.collect.recall import Past
from monitor.collect.table import Table, as_table
from monitor.collect.way import Guarded
from monitor.errors import (
    MonitorError,
    Needs,
    ProbeError,
    ProbeSkipped,
    ProbeTimeout,
    TargetDenied,
    TargetUnreachable,
)
from monitor.kinds import POSTGRES
from monitor.lasting import Identity
from monitor.measurement import Measurement, Row
from monitor.model import Result, Target
from monitor.probe import Facts, Memory, Probe, Session, Shape

log = structlog.get_logger()

FEW = 500
"""So many rows are compared at once; more, each a row of its own, take longer than others like to wait."""


@dataclass(frozen=True)
class Clock:
    """Where the time comes from; handed in, so that tests bring their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


@dataclass
class _Shared:
    """What all probes of one server remember together."""

    memory: Memory
    server: Facts
    """The server that was read."""
    read_at: float


@dataclass
class _Kept(_Shared):
    """What is remembered of one probe on one target."""

    rates: Rates

    def is_of(self, server: Facts) -> bool:
        """Tell whether this server's counters are the ones read before."""
        return goes_on(self.server, server, self.read_at)


class Runner:
    """Runs probes and remembers, for each on each target, its counters and its scratch space."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        snapshot: bool = False,
        lifetime: bool = False,
        joints: Joints | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self.joints = joints or Joints()
        self._snapshot = snapshot
        self._lifetime = lifetime
        self._kept: dict[tuple[Target, str], _Kept] = {}
        self._servers: dict[str, _Shared] = {}
        self._under_way: set[tuple[Target, str]] = set()
        self.past = Past()
        """What an earlier process remembered."""

    def recall(self) -> None:
        """Give who began already what was read too late for that, unless it is under way."""
        for target, probe in self.past.owners():
            kept = self._kept.get((target, probe)) if probe else self._servers.get(target.server)
            if kept is not None and (target, probe) not in self._under_way:
                kept.memory.recall(self.past.documents(target, probe, kept.server))

    def memories(self) -> Iterator[tuple[Target, str, Memory, Identity]]:
        """Give what is remembered, by target and probe, of probes that are not under way; "" is what all share."""
        for (target, probe), kept in list(self._kept.items()):
            if (target, probe) not in self._under_way:
                yield target, probe, kept.memory, identity(kept.server, kept.read_at)
        for server, shared in list(self._servers.items()):
            yield Target(server), "", shared.memory, identity(shared.server, shared.read_at)

    def forget(self, server: str) -> None:
        """Drop what is remembered of a server that is watched no longer."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[0].server != server}
        self._servers.pop(server, None)
        self.past.forget(server)
        self.joints.forget(server)

    async def run(self, probe: Probe, target: Target, session: Guarded) -> Measurement:
        """Ask and measure; never raises for the probe's own failures, only for a lost connection."""
        began = self._clock.monotonic()
        seen = self.blank(probe, target)
        session.within(probe.timeout)
        self._under_way.add((target, probe.name))
        try:
            await _able(probe, session)
            seen = await self._measure(probe, seen, session)
        except TargetUnreachable:
            raise
        except MonitorError as error:
            seen = failed(seen, await _cause(probe, session, error))
        except Exception as error:
            log.exception("probe broke", probe=probe.name, target=str(target), error=type(error).__name__)
            seen = replace(seen, result=Result.BROKEN, reason=_place(error), needs=Needs.REPAIR)
        finally:
            self._under_way.discard((target, probe.name))
        return replace(seen, duration_seconds=self._clock.monotonic() - began)

    def blank(self, probe: Probe, target: Target) -> Measurement:
        """Give a measurement with nothing in it yet."""
        return Measurement(
            target=target,
            probe=probe.name,
            taken_at=self._clock.now(),
            options=options_for(probe, target),
            snapshot=self._snapshot,
            lifetime=self._lifetime,
        )

    async def _measure(self, probe: Probe, seen: Measurement, session: Guarded) -> Measurement:
        kept = self._kept_of(probe, seen.target, session.facts)
        rows = await read(probe, session, kept.memory, seen.options)
        if any(need.startswith("role:") for need in probe.needs):
            await _still_able(probe, session)
            if not kept.is_of(session.facts):
                del self._kept[seen.target, probe.name]
                raise ProbeSkipped("the pooler went to another server meanwhile; it is asked anew next time", None)
        compare = partial(_compared, probe, kept.rates, rows, self._clock.monotonic())
        table, growth = compare() if len(rows) <= FEW else await asyncio.to_thread(compare)
        shown: Sequence[Row] = table if probe.shape is Shape.COLUMNS else rows
        seen = replace(
            seen,
            rows=shown,
            grown=growth.since_last,
            grown_seconds=growth.seconds,
            window_growth=growth.over_window,
            resets=growth.resets,
            window_seconds=growth.window_seconds,
        )
        if self._lifetime:
            seen = replace(seen, window_growth=shown, window_seconds=_lifetime(table, seen.taken_at))
        return await probe.detail(session, kept.memory, seen) if probe.detail else seen

    def _kept_of(self, probe: Probe, target: Target, server: Facts) -> _Kept:
        """Give what is remembered; nothing of another server than the one that answers now."""
        kept, read_at = self._kept.get((target, probe.name)), self._clock.now().timestamp()
        shared = self._shared_of(target.server, server, read_at)
        if kept is None or not kept.is_of(server):
            joint = self.joints.of(target.server)
            memory = Memory(shared, self.past.documents(target, probe.name, server), joint, target.server)
            kept = self._kept[target, probe.name] = _Kept(memory, server, read_at, Rates(probe))
        elif not kept.rates.serves(probe):  # the configuration was reloaded
            kept.rates = Rates(probe)
        kept.server, kept.read_at = server, read_at
        return kept

    def _shared_of(self, name: str, server: Facts, read_at: float) -> Memory:
        """Give what all probes of a server remember together."""
        shared = self._servers.get(name)
        if shared is None:
            memory = Memory(documents=self.past.documents(Target(name), "", server))
            shared = self._servers[name] = _Shared(memory, server, read_at)
        shared.server, shared.read_at = server, read_at
        return shared.memory


def _compared(probe: Probe, rates: Rates, rows: Sequence[Row], at: float) -> tuple[Table, Growth]:
    table = as_table(probe, rows)
    return table, rates.take(table, at)


async def _able(probe: Probe, session: Guarded) -> None:
    """See that the server has what the probe needs; what it lacked when the session began may have come since."""
    try:
        check_needs(probe, session.facts)
    except (ProbeSkipped, TargetDenied):
        await _still_able(probe, session)


async def _still_able(probe: Probe, session: Guarded) -> None:
    """Look again: without a role that was revoked meanwhile the server hides rows and says nothing."""
    await session.look_again()
    check_needs(probe, session.facts)


async def _cause(probe: Probe, session: Guarded, error: MonitorError) -> MonitorError:
    """Give what is behind an error: an extension may have been dropped since the session began."""
    if isinstance(error, ProbeSkipped | ProbeTimeout | TargetDenied) or not probe.needs:
        return error
    try:
        await _still_able(probe, session)
    except (ProbeSkipped, TargetDenied) as cause:
        return cause
    except ProbeError:
        pass
    return error


def options_for(probe: Probe, target: Target) -> object:
    """Give the probe's options, narrowed to a target where they differ by target."""
    options = probe.options
    return options.for_target(target) if hasattr(options, "for_target") else options


async def read(probe: Probe, session: Session, memory: Memory, options: object) -> Sequence[Row]:
    """Ask the probe's question in the server's own version of it."""
    if probe.observe is not None:
        return await probe.observe(session, memory, options)
    sql = probe.sql_for(session.facts.major)
    if sql is None:
        raise ProbeSkipped(f"no question for PostgreSQL {session.facts.major}", None)
    return await session.fetch(sql)


def check_needs(probe: Probe, facts: Facts) -> None:
    """Raise ProbeSkipped or TargetDenied where the server lacks what the probe needs."""
    if probe.scope.kind != POSTGRES:
        return
    newest = probe.max_version or facts.major
    if not probe.min_version <= facts.major <= newest:
        raise ProbeSkipped(f"made for PostgreSQL {probe.min_version} to {newest}", None)
    for need in probe.needs:
        kind, _, name = need.partition(":")
        if kind == "extension" and name not in facts.extensions:
            raise ProbeSkipped(
                f"extension {name} is not installed in database {facts.database}; run there: create extension {name}",
                Needs.EXTENSION,
            )
        if kind == "role" and not facts.superuser and name not in facts.memberships:
            raise TargetDenied(f'role "{facts.role}" lacks {name}; run: grant pg_monitor to "{facts.role}"')


def failed(seen: Measurement, error: MonitorError) -> Measurement:
    """Turn a failure into the measurement that says so."""
    match error:
        case ProbeSkipped():
            result, needs = Result.SKIPPED, error.needs
        case ProbeTimeout():
            result, needs = Result.TIMEOUT, Needs.TIME
        case TargetDenied():
            result, needs = Result.DENIED, Needs.RIGHTS
        case TargetUnreachable():
            result, needs = Result.UNREACHABLE, Needs.TIME
        case _:
            result, needs = Result.BROKEN, Needs.REPAIR
    return replace(seen, result=result, reason=str(error), needs=needs)


def _lifetime(table: Table, now: datetime) -> float:
    """Give the age of the counters: since the reading's own `stats_reset`; 0 when it does not say."""
    since = table.constants.get("stats_reset") or next(iter(table.columns.get("stats_reset", ())), None)
    return max((now - since).total_seconds(), 0.0) if isinstance(since, datetime) else 0.0


def _place(error: Exception) -> str:
    """Say where a probe of ours broke, without the values that broke it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return f"the probe itself broke: {type(error).__name__}{where}; please report it"
