"""Where every measurement goes: judged by its rules, followed in the ledger, shown, kept, and told to people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import structlog

from monitor.catalog import Catalog
from monitor.collect.runner import Clock
from monitor.daemon.pending import Pending
from monitor.daemon.shelf import Shelf
from monitor.daemon.steps import logged, remedied, step_of
from monitor.daemon.succession import Succession
from monitor.errors import StoreError
from monitor.expose.metrics import Exposition
from monitor.findings.ignores import Ignores, without_ignored
from monitor.findings.ledger import Change, Ledger
from monitor.history.recorder import Recorder
from monitor.lean import Lean
from monitor.measurement import Measurement, Row, measured
from monitor.model import Alert, Judgement, NoVerdict, Result, Server, State, Target
from monitor.overlap import MISSING, Patience
from monitor.probe import Probe
from monitor.report.pages import Pages
from monitor.rules.daemon import MONITOR_RULES
from monitor.rules.evaluate import evaluate
from monitor.rules.own import OWN, TARGET_RULES
from monitor.standing import ServerStanding, shown, wanted
from monitor.store.ledger_book import StoredLedger

log = structlog.get_logger()

MONITOR = Target("pgarchitect")
"""The daemon itself, as the target of findings about it."""

QUIET_SECONDS = 30.0
"""How long a change that nobody need hear of (a newer `last_seen`) may wait to be written."""

BITE = 100
"""Rows or findings that are worked on before anybody else has a turn."""


class Desk:
    """Takes measurements in; holds the ledger, the shelf, and what the store does not have yet."""

    def __init__(self, ledger: Ledger, exposition: Exposition, clock: Clock, pending: Pending) -> None:
        self.ledger, self.exposition, self.clock = ledger, exposition, clock
        self.shelf = Shelf(ledger)
        self._succession = Succession(self.shelf.servers, pending.step)
        self.recorder = Recorder(clock, lambda: self.ledger.alerts)
        self.newest: dict[tuple[Target, str], Measurement] = {}
        self.listeners: list[Callable[[Alert], None]] = []
        self.wake: Callable[[], None] = lambda: None
        """Called when something is worth writing and telling at once."""
        self.shaken: Callable[[], None] = lambda: None
        """Called when a server came or went, or still does not answer, or a probe began to fail, or to be answered."""
        self.ignores = Ignores()
        self._patience = Patience()
        self._pending = pending
        self.whole = asyncio.Lock()
        """Held by who needs the ledger without half of a measurement in it."""
        self._written_at = clock.monotonic()
        self._busy: dict[str, tuple[float, float]] = {}

    async def take(self, server: Server, probe: Probe, seen: Measurement) -> None:
        """Judge, follow and show a measurement; a big one in bites, so that the event loop has its turn."""
        log.debug("probe ran", target=str(seen.target), probe=probe.name, result=seen.result.value)
        if self.shelf.servers[server.name].ran(seen):
            self.shaken()
        self.newest[seen.target, probe.name] = seen
        self.exposition.absorb(probe, shown(server, seen))
        self.recorder.take(server, probe, seen)
        self._succession.saw(seen)
        self._look_for_remedies(probe, seen)
        if max(len(seen.rows), len(self.ledger)) <= BITE:
            self.judged(server, evaluate(probe.rules, seen))
            return
        judgements = await asyncio.to_thread(evaluate, probe.rules, seen)
        async with self.whole:
            await self._follow_slowly(self._accepted(server, judgements))

    def _look_for_remedies(self, probe: Probe, seen: Measurement) -> None:
        """See whether what findings advise stands in the catalogue, and what it did to the numbers."""
        if probe.things is not None and seen.result is Result.OK:
            book = Pages(seen.target, self.newest)
            changes = self.ledger.catalogued(
                seen.target,
                partial(probe.things, seen),
                lambda proof, since: measured(book.last(proof.probe), proof, since),
                seen.taken_at,
            )
            self.note(changes)
            for change in changes:
                if change.alert.state is State.FIRING and change.alert.cure:
                    self._pending.step(remedied(change.alert, change.alert.cure))

    def judged(self, server: Server, judgements: Sequence[Judgement]) -> None:
        """Follow what rules said of a server."""
        self.follow(self._accepted(server, judgements))

    def _accepted(self, server: Server, judgements: Sequence[Judgement]) -> Sequence[Judgement]:
        found = wanted(server, judgements)
        judgements = self._heeded(self._patience.heeded(found))
        if server.name in self.shelf.servers:
            self.shelf.servers[server.name].said(judgements, found)
        return judgements

    def _heeded(self, judgements: Sequence[Judgement]) -> Sequence[Judgement]:
        """Leave out the findings that the configuration says to ignore."""
        if not self.ignores.entries:
            return judgements
        today = self.clock.now().date()
        return [without_ignored(judgement, self.ignores, today) for judgement in judgements]

    def follow(self, judgements: Sequence[Judgement]) -> None:
        """Enter judgements into the ledger, and note what is to be written and told."""
        now = self.clock.now()
        self.note(self._succession.followed(self.ledger, self.ledger.observe(judgements, now), now))

    async def _follow_slowly(self, judgements: Sequence[Judgement]) -> None:
        now, told = self.clock.now(), 0
        steps = self.ledger.observing(judgements, now)
        while changes := list(islice(steps, BITE)):
            told += self.note(self._succession.followed(self.ledger, changes, now), told)
            await asyncio.sleep(0)

    def note(self, changes: Sequence[Change], before: int = 0) -> int:
        """Take over the ledger's changes; give how many are worth telling, `before` of the same measurement aside."""
        told = logged(changes, before)
        for change in changes:
            fingerprint = change.alert.finding.fingerprint
            if change.dropped:
                self._pending.dropped([fingerprint])
            else:
                self._pending.alert(self.shelf.labelled(change.alert))
            if change.worth_telling:
                self._pending.step(step_of(change.alert, self.clock.now()))
                for listener in self.listeners:
                    listener(change.alert)
        self.shelf.changed()
        if told:
            self.wake()
        return told

    def left(self, server: Server, database: str) -> None:
        """Take a database that is not looked at any more off the shelf and out of the metrics."""
        target = Target(server.name, database)
        self.shelf.servers[server.name].lost(database)
        self.exposition.drop_database(target)
        self.newest = {key: seen for key, seen in self.newest.items() if key[0] != target}
        self.shelf.changed()

    def remaining(self, server: Server, databases: Collection[str]) -> None:
        """End what concerned databases that are there no more, or are wanted no more; these remain."""
        ours = [alert for alert in self.ledger.alerts if alert.source.server == server.name and alert.source.database]
        self._end((alert.source, alert.finding.rule) for alert in ours if alert.source.database not in databases)

    def end_rules(self, rules: Collection[str]) -> None:
        """End what rules said that judge no more."""
        if MISSING in rules:
            self._patience.forget()
        self._end((alert.source, alert.finding.rule) for alert in self.ledger.alerts if alert.finding.rule in rules)

    def end_probes(self, probes: Collection[str]) -> None:
        """Take probes that are asked no more off the shelf and out of the metrics."""
        for name in probes:
            self.exposition.drop_probe(name)
        self.newest = {key: seen for key, seen in self.newest.items() if key[1] not in probes}
        for standing in self.shelf.servers.values():
            standing.unasked(probes)
        self.shelf.changed()

    def _end(self, judged: Iterable[tuple[Target, str]]) -> None:
        gone = (NoVerdict(reason="what it concerned is gone", needs=None),)
        ended = sorted(set(judged), key=str)
        self.follow([Judgement(rule=rule, source=source, hold=0, keep=0, verdicts=gone) for source, rule in ended])

    def restore(self, alerts: Sequence[Alert]) -> None:
        """Go on from stored alerts; what was found meanwhile counts as seen now."""
        found = {alert.finding.fingerprint: alert for alert in self.ledger.alerts}
        self.ledger = Ledger({**{alert.finding.fingerprint: alert for alert in alerts}, **found}.values())
        self.shelf.follow(self.ledger)
        for alert in found.values():
            self._pending.alert(self.shelf.labelled(alert))

    def keep_only(self, servers: set[str]) -> None:
        """End what concerned servers that are watched no longer."""
        self.note(self.ledger.drop_targets(servers | {MONITOR.server}, self.clock.now()))

    def end_server(self, name: str) -> None:
        """Take a server off the shelf and out of the metrics."""
        self.shelf.drop(name)
        self.exposition.drop_target(name)
        self.recorder.end_server(name)
        self._patience.forget(name)
        self.newest = {key: seen for key, seen in self.newest.items() if key[0].server != name}
        self._busy.pop(name, None)

    def forget(self, before: datetime) -> None:
        """Drop what was over before that moment."""
        gone = self.ledger.forget(before)
        if gone:
            self._pending.dropped(gone)
            self.shelf.keep_labels({alert.source.server for alert in self.ledger.alerts})
            self.shelf.changed()

    async def slim(self, before: datetime, believed: Collection[str]) -> int:
        """Make lean what was over before that moment; give how many alerts that were.

        What is not written stays whole, and what a receiver believes to fire. `whole` must be held, and nothing be
        on its way into the store.
        """
        lean = Lean()
        steps = self.ledger.slimming(
            lambda alert: lean(self.shelf.labelled(alert)),
            before,
            lambda fingerprint: fingerprint in believed or self._pending.holds(fingerprint),
        )
        count = 0
        while bite := len(list(islice(steps, BITE))):
            count += bite
            await self._changed()
        return count

    async def pack(self) -> None:
        """Put what is lean close together in memory."""
        for _ in self.ledger.packing(BITE):
            await self._changed()
        self.shelf.changed()

    async def _changed(self) -> None:
        self.shelf.changed()
        await asyncio.sleep(0)

    def turned(self, server: Server) -> None:
        """Take note that a server came or went, or still does not answer."""
        self.shelf.changed()
        self.shaken()

    async def write(self, stored: StoredLedger) -> None:
        """Write what changed; raises StoreError, and what was not written waits in memory."""
        change = self._pending.take()
        self._written_at = self.clock.monotonic()
        try:
            await stored.write(change)
        except (StoreError, asyncio.CancelledError):
            self._pending.put_back(change)
            raise

    def write_all(self) -> None:
        """Count every alert as unwritten: the store may be a new one."""
        for alert in self.labelled():
            self._pending.alert(alert)
        self.recorder.write_all()

    @property
    def stale(self) -> bool:
        """Tell whether quiet changes have waited long enough to be written."""
        return bool(self._pending) and self.clock.monotonic() - self._written_at >= QUIET_SECONDS

    def labelled(self) -> list[Alert]:
        """Give all alerts with their targets' labels."""
        return [self.shelf.labelled(alert) for alert in self.ledger.alerts]

    def judge_ourselves(self, catalog: Catalog, monitor: Sequence[Row]) -> None:
        """Apply the rules about ourselves to every server, and to the daemon (`monitor`: its rows)."""
        judges = catalog.rules
        for standing in self.shelf.servers.values():
            rows = [*self._about(standing, catalog), *catalog.unloaded]
            seen = self._own(Target(standing.server.name), rows)
            own = evaluate([judges.get(rule.id, rule) for rule in TARGET_RULES], seen)  # type: ignore[misc]
            self.follow(self._heeded(own))
        seen = self._own(MONITOR, monitor)
        judged = evaluate([judges.get(rule.id, rule) for rule in MONITOR_RULES], seen)  # type: ignore[misc]
        self.follow(self._heeded(judged))

    def about_ignores(self) -> list[Row]:
        """Give a row for each entry of `ignore:`; `answered`: so do all servers that it may concern."""
        rows: list[Row] = []
        for entry in self.ignores.entries:
            answered = all(each.up for name, each in self.shelf.servers.items() if entry.concerns(name))
            rows.append(
                {
                    "kind": "ignore",
                    "entry": str(entry),
                    "reason": entry.reason,
                    "until": entry.until,
                    "met": entry in self.ignores.met,
                    "answered": answered,
                    "seconds": self.ignores.tried(entry, self.clock.now(), answered=answered),
                }
            )
        return rows

    def _own(self, target: Target, rows: Sequence[Row]) -> Measurement:
        return Measurement(target=target, probe=OWN, taken_at=self.clock.now(), rows=rows)

    def _about(self, standing: ServerStanding, catalog: Catalog) -> list[Row]:
        rows: list[Row] = []
        if standing.up is not None:
            down = (self.clock.now() - (standing.since or datetime.now(UTC))).total_seconds()
            rows.append(
                {"kind": "target", "up": standing.up, "reason": standing.reason, "down_seconds": max(down, 0.0)}
            )
        for run in standing.runs.values():
            probe = catalog.probes.get(run.probe)
            rows.append(
                {
                    "kind": "probe",
                    "probe": run.probe,
                    "database": run.target.database,
                    "result": run.result,
                    "reason": run.reason,
                    "duration_seconds": run.duration_seconds,
                    "timeout_seconds": probe.timeout if probe else 5.0,
                }
            )
        rows.append({"kind": "series", "dropped": self.exposition.dropped(standing.server.name)})
        rows.append({"kind": "cost", "busy_ratio": self._busy_ratio(standing)})
        return rows

    def _busy_ratio(self, standing: ServerStanding) -> float:
        """Give the part of the last minute or more that our statements ran."""
        now, spent = self.clock.monotonic(), standing.spent()
        since, before = self._busy.setdefault(standing.server.name, (now, spent))
        seconds = now - since
        if seconds >= 2 * QUIET_SECONDS:
            self._busy[standing.server.name] = (now, spent)
        return (spent - before) / seconds if seconds >= QUIET_SECONDS else 0.0
