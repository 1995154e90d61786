"""Follows every finding through time: pending while it is only suspected, firing, resolved once it has stayed away.

It owns no clock and does no I/O: judgements and `now` come in, changes go out. All it knows lies in the alerts
themselves, so that a ledger restored from stored alerts goes on as if there had been no restart.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress, islice

from monitor.findings.cure import Number, Things, absent, by_relation, looked, rests, still_there
from monitor.findings.episode import NOT_SEEN, UNWATCHED, absence, began, covers, ended, moved, seen, without_suspicion
from monitor.lean import Packed
from monitor.model import Ack, Alert, Finding, Judgement, State, Target


@dataclass(frozen=True, kw_only=True)
class Change:
    """An alert that is not as it was; `before` None: it is new."""

    alert: Alert
    before: State | None
    worth_telling: bool = False
    """It fires, it is over, or its severity moved: somebody may want to hear of it."""
    dropped: bool = False
    """A suspicion that came to nothing: it is in the ledger no more."""


class Ledger:
    """All alerts by fingerprint, and the open ones also by what can say something about them: source and rule."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self._known: dict[str, Alert] = {}
        self._packed: Iterator[Alert] = iter(())
        """What is packed, and to be made anew."""
        self._open: dict[tuple[Target, str], set[str]] = {}
        self._ended: set[str] = set()
        """What is over and not lean."""
        self._acks: dict[str, Ack] = {}
        """Of what is over, who had taken note: it may go on elsewhere."""
        for alert in alerts:
            self._put(alert)

    @property
    def _alerts(self) -> dict[str, Alert]:
        """All alerts: whoever looks while some are packed waits until they are made anew."""
        for _ in self._unpacking():
            pass
        return self._known

    def _unpacking(self) -> Iterator[None]:
        for alert in self._packed:
            self._known[alert.finding.fingerprint] = alert
            yield

    def __len__(self) -> int:
        return len(self._alerts)

    @property
    def alerts(self) -> Sequence[Alert]:
        """Every alert: pending, firing, and resolved ones not yet forgotten."""
        return tuple(self._alerts.values())

    def observe(self, judgements: Sequence[Judgement], now: datetime) -> list[Change]:
        """Take in what rules said at `now` (UTC); give the alerts that changed. The rest stays as it is."""
        return list(self.observing(judgements, now))

    def observing(self, judgements: Sequence[Judgement], now: datetime) -> Iterator[Change]:
        """Observe step by step; in a pause between two steps others may observe and drop."""
        return (change for judgement in judgements for change in self._judged(judgement, now))

    def catalogued(self, target: Target, things: Things, number: Number, at: datetime) -> list[Change]:
        """Follow the remedies of what fires on a target: what stands in its catalogue, and what the numbers are now.

        To be told of a reading before its rules judge it: what they say takes the new things for granted.
        """
        prints = [each for (source, _), found in self._open.items() if source == target for each in found]
        firing = [alert for each in sorted(prints) if (alert := self._alerts[each]).state is State.FIRING]
        awaited = [alert for alert in firing if alert.cure or alert.finding.remedy.sign]
        there = by_relation(things, awaited)
        after = [(alert, looked(alert, there, number, at)) for alert in awaited]
        return [self._turn(before, now) for before, now in after if now != before]

    def ack(self, fingerprint: str, ack: Ack) -> Change | None:
        """Note that somebody has taken note of an open alert.

        None: no such alert is open, or it is worse by now than `ack.severity`.
        """
        alert = self._alerts.get(fingerprint)
        if alert is None or _over(alert) or not covers(ack, alert):
            return None
        return self._turn(alert, replace(alert, acked=ack))

    def unack(self, fingerprint: str) -> Change | None:
        """Take an ack back. None: there is none."""
        alert = self._alerts.get(fingerprint)
        if alert is None or alert.acked is None:
            return None
        return self._turn(alert, replace(alert, acked=None))

    def move(self, former: str, heir: str, now: datetime) -> list[Change]:
        """Let an alert that has begun go on from one of another server, which ends; give both."""
        before, begun = self._alerts[former], self._alerts[heir]
        went = self._turn(begun, moved(begun, before, before.acked or self._acks.get(former), now))
        if _over(before):
            return [went]
        return [self._turn(before, ended(before, now, f"it moved to {begun.finding.target.server}")), went]

    def drop_targets(self, keep: set[str], now: datetime, by: str = UNWATCHED) -> list[Change]:
        """End what is known of servers that are watched no longer; `keep` names those that still are."""
        gone = [alert for alert in self._alerts.values() if alert.source.server not in keep and not _over(alert)]
        return [self._lift(alert) if _suspected(alert) else self._turn(alert, ended(alert, now, by)) for alert in gone]

    def forget(self, before: datetime) -> list[str]:
        """Drop the alerts that were over before that moment; give their fingerprints."""
        old = [
            fingerprint
            for fingerprint, alert in self._alerts.items()
            if _over(alert) and alert.ends_at is not None and alert.ends_at < before
        ]
        for fingerprint in old:
            self._take(self._alerts[fingerprint])
            self._acks.pop(fingerprint, None)
        return old

    def slimming(
        self, lean: Callable[[Alert], Alert], before: datetime, needed: Callable[[str], bool]
    ) -> Iterator[Alert]:
        """Make lean, one by one, what was over before that moment and is not needed whole; others may come between."""
        for fingerprint in tuple(self._ended):
            alert = self._alerts.get(fingerprint)
            if alert is None or fingerprint not in self._ended or needed(fingerprint):
                continue
            if alert.ends_at is not None and alert.ends_at < before:
                after = lean(alert)
                self._take(alert)
                self._put(after)
                yield after

    def packing(self, bite: int) -> Iterator[None]:
        """Put what is lean close together in memory, in bites; others may come between.

        All old ones go before any is made anew, which would lie where an old one lay. Who looks for alerts meanwhile
        waits for the rest to be made: for ten thousand a tenth of a second.
        """
        packed, lean = Packed(), [alert for alert in self._alerts.values() if alert.finding.missing]
        for begin in range(0, len(lean), bite):
            packed.add(lean[begin : begin + bite])
            yield
        same = bytearray(self._alerts.get(alert.finding.fingerprint) is alert for alert in lean)
        while lean:
            if same[len(lean) - 1]:  # it is over and lean, so it stands nowhere else
                del self._known[lean[-1].finding.fingerprint]
            lean.pop()
        self._packed = compress(packed, same)
        yield
        gc.collect()
        while list(islice(self._unpacking(), bite)):
            yield

    def get(self, fingerprint: str) -> Alert | None:
        """Give an alert."""
        return self._alerts.get(fingerprint)

    def of(self, source: Target, rule: str) -> Sequence[Alert]:
        """Give all alerts of a rule on a target, resolved ones not yet forgotten too."""
        return [each for each in self._alerts.values() if each.finding.rule == rule and each.source == source]

    def _judged(self, judgement: Judgement, now: datetime) -> Iterator[Change]:
        accused = _worst(judgement.findings)
        for finding in accused.values():
            yield from self._seen(finding, judgement, now)
        unknown = {verdict.subject for verdict in judgement.no_verdicts if verdict.applies}
        if None in unknown:
            return
        for fingerprint in sorted(self._open.get((judgement.source, judgement.rule), set()) - accused.keys()):
            alert = self._alerts.get(fingerprint)  # None: dropped in a pause
            if alert is not None and alert.finding.subject not in unknown and not _over(alert):
                yield from self._absent(alert, judgement, now)

    def _seen(self, finding: Finding, judgement: Judgement, now: datetime) -> Iterator[Change]:
        known = self._alerts.get(finding.fingerprint)
        if known is not None and _over(known) and rests(known, finding.severity.rank, now):
            return
        if known is None or _over(known):
            after = began(finding, judgement, now, known)
        else:
            after = still_there(seen(known, finding, judgement, now), now)
        if after != known:
            yield self._turn(known, after)

    def _absent(self, alert: Alert, judgement: Judgement, now: datetime) -> Iterator[Change]:
        if _suspected(alert):
            yield self._lift(alert)
        elif (now - alert.last_seen).total_seconds() >= judgement.keep:
            why = absence(judgement, alert.finding.subject)
            mended = absent(alert, now) if why == NOT_SEEN else None
            after = mended or ended(replace(alert, cure=None), now, why)
            if after != alert:
                yield self._turn(alert, after)
        elif now < alert.last_seen:  # the clock was set back: begin to wait anew
            yield self._turn(alert, replace(alert, last_seen=now))

    def _lift(self, alert: Alert) -> Change:
        """Drop a suspicion; what had fired and ended before goes back to that."""
        former = without_suspicion(alert)
        if former is not None:
            return self._turn(alert, former)
        self._take(alert)
        return Change(alert=alert, before=alert.state, dropped=True)

    def _turn(self, before: Alert | None, after: Alert) -> Change:
        if before is not None:
            self._take(before)
            self._note_ack(before, after)
        self._put(after)
        return Change(alert=after, before=before.state if before else None, worth_telling=_moved(before, after))

    def _note_ack(self, before: Alert, after: Alert) -> None:
        if before.acked is not None and _over(after):
            self._acks[after.finding.fingerprint] = before.acked
        else:
            self._acks.pop(after.finding.fingerprint, None)

    def _put(self, alert: Alert) -> None:
        fingerprint = alert.finding.fingerprint
        self._alerts[fingerprint] = alert
        if not _over(alert):
            self._open.setdefault((alert.source, alert.finding.rule), set()).add(fingerprint)
        elif not alert.finding.missing:
            self._ended.add(fingerprint)

    def _take(self, alert: Alert) -> None:
        fingerprint, scope = alert.finding.fingerprint, (alert.source, alert.finding.rule)
        del self._alerts[fingerprint]
        self._ended.discard(fingerprint)
        open_here = self._open.get(scope, set())
        open_here.discard(fingerprint)
        if not open_here:
            self._open.pop(scope, None)


def _moved(before: Alert | None, after: Alert) -> bool:
    if _suspected(after) or (_over(after) and before is not None and _suspected(before)):
        return False
    return before is None or after.status != before.status


def _worst(findings: Iterable[Finding]) -> dict[str, Finding]:
    """By fingerprint; where a rule names one subject twice, the worse counts."""
    worst: dict[str, Finding] = {}
    for finding in findings:
        other = worst.get(finding.fingerprint)
        if other is None or other.severity.rank < finding.severity.rank:
            worst[finding.fingerprint] = finding
    return worst


def _over(alert: Alert) -> bool:
    return alert.state is State.RESOLVED


def _suspected(alert: Alert) -> bool:
    return alert.state is State.PENDING
