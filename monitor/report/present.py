"""A daemon's report: what stands now, how many rules looked so far, and which could not be asked yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from monitor.errors import Needs
from monitor.kinds import POSTGRES
from monitor.measurement import Measurement
from monitor.model import Finding, Target
from monitor.probe import Probe, Scope
from monitor.report.compose import compose
from monitor.report.review import Review
from monitor.report.tally import Tally
from monitor.rule import Advisor, Judge
from monitor.standing import ServerStanding
from monitor.status import NotEvaluated


@dataclass(frozen=True, kw_only=True)
class Present:
    """How everything stands, and who is asked about it."""

    standings: Sequence[ServerStanding]
    findings: Sequence[Finding]
    readings: Sequence[Measurement]
    """The newest of every probe."""
    probes: Sequence[Probe]
    advisors: Sequence[Advisor]

    def review(self) -> Review:
        """Put the report together."""
        window = max((seen.window_seconds for seen in self.readings), default=0.0)
        review = compose(self.standings, self.findings, window=window, readings=self.readings)
        tally = sum((_tally(standing) for standing in self.standings if standing.up), Tally())
        return replace(
            review,
            not_evaluated=[*review.not_evaluated, *self._not_asked()],
            ignored=sum(tally.ignored.values()),
            checked=tally.checked(self._judges),
        )

    @property
    def _judges(self) -> Sequence[Judge]:
        rules = [rule for probe in self.probes for rule in probe.rules]
        return sorted([*rules, *self.advisors], key=lambda judge: judge.id)

    def _not_asked(self) -> Iterator[NotEvaluated]:
        """Give what nobody judged since the start; of a server that is down, that it is down says it all."""
        for standing in self.standings:
            if standing.up:
                for probe in self.probes:
                    if probe.scope.kind == standing.server.kind:
                        ids = [rule.id for rule in probe.rules]
                        yield from _unheard(standing, probe.scope, ids, f"the probe {probe.name} has not run here")
                if standing.server.kind == POSTGRES:
                    for advisor in self.advisors:
                        yield from _unheard(standing, Scope.DATABASE, [advisor.id], "it has not been asked here")


def _unheard(standing: ServerStanding, scope: Scope, rules: Collection[str], why: str) -> Iterator[NotEvaluated]:
    server = standing.server.name
    databases = [Target(server, name) for name in standing.databases] if scope is Scope.DATABASE else []
    for target in databases or [Target(server)]:
        for rule in rules:
            if rule not in standing.judged.get(target, ()):
                yield NotEvaluated(target=target, rule=rule, reason=f"not yet: {why}", needs=Needs.TIME)


def _tally(standing: ServerStanding) -> Tally:
    """Count what rules said last in each place."""
    tally = Tally()
    for target, rules in standing.judged.items():
        for rule in rules:
            mute = [each for each in standing.unsaid.get((target, rule), ()) if each.subject is None]
            tally.answered[rule] += not mute
            tally.idle[rule] += any(not each.applies for each in mute)
            tally.ignored[rule] += standing.ignored.get((target, rule), 0)
    return tally
