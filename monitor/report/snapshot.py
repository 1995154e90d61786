"""One look without a daemon: two readings of everything, a window apart, judged once; the daemon's one-shot twin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from monitor.collect.runner import Runner, failed
from monitor.collect.way import way_to
from monitor.errors import Needs, ProbeError, TargetError, TargetUnreachable
from monitor.findings.ignores import Ignore, Ignores, without_ignored
from monitor.history import History
from monitor.measurement import Measurement
from monitor.model import Finding, Judgement, Result, Server, Target
from monitor.probe import Probe, Scope
from monitor.report.between import through
from monitor.report.glimpse import Glimpse, Past, grown
from monitor.report.pages import Pages
from monitor.report.review import LookedAt, Review
from monitor.rule import Advisor
from monitor.rules.evaluate import advise, evaluate
from monitor.standing import ServerStanding, wanted
from monitor.status import NotEvaluated

AT_ONCE = 8
"""Servers looked at side by side."""

TRIES, AT_ONCE_SECONDS = 4, 1.0
"""How often something is asked whose session was ended at once, and what counts as at once."""

Progress = Callable[[str], None]
Rows = list[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a snapshot asks: of which servers, with which probes and advisors, over which window (seconds)."""

    servers: Sequence[Server]
    probes: Sequence[Probe]
    advisors: Sequence[Advisor] = ()
    window: float = 10.0
    problems: Mapping[str, str] = field(default_factory=dict)
    """Probes that could not be loaded, and why: what they judge is not evaluated."""
    ignores: Sequence[Ignore] = ()
    """What the configuration says to ignore; findings it covers are counted and not shown."""
    past: Past | None = None
    """Whom to ask for what a daemon kept of earlier hours."""

    def only(self, globs: Sequence[str], areas: Sequence[str]) -> Question:
        """Narrow to the rules that match; probes that nothing asks for are not run."""

        def chosen(rule: str, area: str) -> bool:
            return (not globs or any(fnmatchcase(rule, glob) for glob in globs)) and (not areas or area in areas)

        advisors = [each for each in self.advisors if chosen(each.id, each.area)]
        read = {name for advisor in advisors for name in advisor.reads}
        probes = [
            replace(probe, rules=tuple(rule for rule in probe.rules if chosen(rule.id, rule.area)))
            for probe in self.probes
        ]
        judged = {each.name for each in probes if each.rules or each.name in read}
        asked = [each for each in probes if each.name in judged or not judged.isdisjoint(each.feeds)]
        return replace(self, advisors=advisors, probes=asked)


async def take_snapshot(question: Question, progress: Progress = lambda _: None) -> Review:
    """Look at every server, several at a time, and give the whole review."""
    crowd = asyncio.Semaphore(AT_ONCE)

    async def one(server: Server) -> Look:
        async with crowd:
            look = Look(server, question, progress)
            await look.take()
            return look

    looks = await asyncio.gather(*(one(server) for server in question.servers))
    review = compose(
        [look.standing for look in looks],
        [finding for look in looks for finding in look.findings],
        window=question.window,
        readings=[seen for look in looks for seen in look.newest.values()],
    )
    return replace(
        review,
        not_evaluated=[*review.not_evaluated, *_not_loaded(question)],
        ignored=sum(look.ignored for look in looks),
    )


def _not_loaded(question: Question) -> Iterator[NotEvaluated]:
    for server in question.servers:
        for probe, reason in question.problems.items():
            yield NotEvaluated(
                target=Target(server.name),
                rule="probe.broken",
                reason=f"probe {probe} cannot be loaded: {reason}",
                needs=Needs.REPAIR,
                subject=probe,
            )


@dataclass
class Look:
    """Looking at one server."""

    server: Server
    question: Question
    progress: Progress
    newest: dict[tuple[Target, str], Measurement] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    ignored: int = 0
    """How many findings the configuration says to ignore."""

    def __post_init__(self) -> None:
        self._ignores = Ignores(self.question.ignores)
        self._way = way_to(self.server)
        self._runner = Runner(snapshot=True, lifetime=not self.question.window)
        self.standing = ServerStanding(self.server, spent=lambda: self._way.own_seconds)
        self._ours = self.standing.apply(self.question.probes)

    async def take(self) -> None:
        """Read, wait, read again, judge; of a server that is lost on the way, what was read before is judged."""
        try:
            await self._read()
            if self.question.window:
                self.progress(f"{self.server.name}: watching counters for {self.question.window:g} s")
                await through(self.question.window, self._sample)
                await self._read()
        except (TargetError, ProbeError) as error:
            self.standing.turn(datetime.now(UTC), up=False, reason=str(error))
        finally:
            await self._way.close()
        self._judge()
        await self._advise()

    async def _read(self) -> None:
        """Ask everything once; databases first, so that it is known which of them has which extension."""
        self.progress(f"{self.server.name}: connecting")
        await self._steadily(self._begin)
        for database in self.databases:
            await self._visit(database)
        for probe in (probe for probe in self._ours if probe.scope is not Scope.DATABASE):
            self.progress(f"{self.server.name}: {probe.name}")
            await self._steadily(lambda probe=probe: self._ask(probe))  # type: ignore[misc]

    async def _sample(self) -> bool:
        """Ask again what shows a moment, on the session that is there; tell whether all answered."""
        asked = [probe for probe in self._probes(Scope.SERVER) if probe.samples]
        for probe in asked:
            await self._ask(probe)
        return bool(asked) and all(
            self.newest[Target(self.server.name), each.name].result is Result.OK for each in asked
        )

    async def _begin(self) -> None:
        async with self._way.home() as session:
            self.standing.turn(datetime.now(UTC), up=True)
            self.standing.version = session.facts.version
        self.databases = await self._way.databases()
        self.standing.databases = tuple(self.databases)

    async def _ask(self, probe: Probe) -> None:
        async with self._way.suited(probe.needs) as session:
            self._note(await self._runner.run(probe, Target(self.server.name), session))

    async def _visit(self, database: str) -> None:
        target, waiting = Target(self.server.name, database), self._probes(Scope.DATABASE)

        async def round_of_probes() -> None:
            async with self._way.visit(database, stay=len(self.databases) == 1) as session:
                while waiting:
                    self.progress(f"{target}: {waiting[0].name}")
                    self._note(await self._runner.run(waiting[0], target, session))
                    waiting.pop(0)

        try:
            await self._steadily(round_of_probes)
        except TargetError as error:
            for probe in waiting:
                self._note(failed(self._runner.blank(probe, target), error))
            await self._begin()  # a server that answers nothing more is not asked for one database after the other

    async def _steadily(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask again, a few times, when the session was ended under us; not when nobody answers."""
        for _ in range(TRIES - 1):
            began = time.monotonic()
            try:
                return await ask()
            except TargetUnreachable:
                if time.monotonic() - began >= AT_ONCE_SECONDS:
                    raise
            await asyncio.sleep(AT_ONCE_SECONDS / 10)
        return await ask()

    def _probes(self, scope: Scope) -> list[Probe]:
        return [probe for probe in self._ours if probe.scope is scope]

    def _note(self, seen: Measurement) -> None:
        self.newest[seen.target, seen.probe] = seen
        self.standing.ran(seen)

    def _judge(self) -> None:
        rules = {probe.name: probe.rules for probe in self.question.probes}
        for seen in self.newest.values():
            self._take(evaluate(rules[seen.probe], seen))

    async def _advise(self) -> None:
        histories = {(self.server.name, name): history for name, history in (await self._histories()).items()}
        for database in self.databases:
            book = Pages(Target(self.server.name, database), self.newest, histories)
            for advisor in self.question.advisors:
                self._take([await advise(advisor, book)])

    async def _histories(self) -> Mapping[str, History]:
        """Look up what a daemon kept of what grew in the window."""
        histories: dict[str, History] = {}
        for probe in self._probes(Scope.SERVER):
            seen = self.newest.get((Target(self.server.name), probe.name))
            if probe.history is None or seen is None or self.question.past is None:
                continue
            self.progress(f"{self.server.name}: {probe.name}, earlier hours")
            earlier = await self.question.past(self.server, probe, grown(probe.history, seen).keys())
            if earlier is not None:
                histories[probe.name] = Glimpse(probe.history, seen, earlier)
        return histories

    def _take(self, judgements: Sequence[Judgement]) -> None:
        found = wanted(self.server, judgements)
        today = datetime.now(UTC).date()
        judgements = [without_ignored(judgement, self._ignores, today) for judgement in found]
        self.standing.said(judgements)
        self.findings += _findings(judgements)
        self.ignored += len(_findings(found)) - len(_findings(judgements))


def _findings(judgements: Sequence[Judgement]) -> list[Finding]:
    return [finding for judgement in judgements for finding in judgement.findings]


def compose(
    standings: Sequence[ServerStanding],
    findings: Sequence[Finding],
    *,
    window: float,
    readings: Sequence[Measurement] = (),
) -> Review:
    """Put a review together: worst findings first, then by area, target and subject."""
    lists = listed(standings, readings)
    return Review(
        generated_at=datetime.now(UTC),
        window_seconds=window,
        targets=[looked for standing in standings for looked in _looked_at(standing)],
        findings=sorted(findings, key=_order),
        not_evaluated=_each_reason([entry for standing in standings for entry in standing.not_evaluated()]),
        statements=lists["statements"],
        pools=lists["pools"],
        tables=lists["tables"],
    )


def _order(finding: Finding) -> tuple[int, str, str, str, str]:
    return -finding.severity.rank, finding.area, finding.rule, str(finding.target), finding.subject


def _each_reason(entries: Sequence[NotEvaluated]) -> list[NotEvaluated]:
    return sorted(set(entries), key=lambda entry: (str(entry.target), entry.needs, entry.rule, entry.reason))


def _looked_at(standing: ServerStanding) -> list[LookedAt]:
    """Give the server as a whole, then each of its databases; one that was refused is not up."""
    status = standing.status()
    targets = [Target(status.server), *(Target(status.server, name) for name in status.databases)]
    looked = []
    for target in targets:
        probes = [run for run in status.probes if run.target == target]
        refused = [run for run in probes if run.result == "unreachable" and target.database is not None]
        looked.append(
            LookedAt(
                target=target,
                kind=status.kind,
                up=status.up and not refused,
                reason=refused[0].reason if refused else status.reason,
                server_version=status.server_version,
                labels=status.labels,
                not_applicable=status.not_applicable.get(target.database, 0),
                probes=probes,
            )
        )
    return looked


def listed(standings: Sequence[ServerStanding], readings: Sequence[Measurement]) -> dict[str, Rows]:
    """Give what the report lists beside findings."""
    servers = {standing.server.name: standing.server for standing in standings}
    lists: dict[str, Rows] = {"statements": [], "pools": [], "tables": []}
    for seen in readings:
        server = servers[seen.target.server]
        for name, row in seen.listed():
            if not row.get("database") or server.wants(str(row["database"])):
                lists[name].append({"target": seen.target.server, "database": seen.target.database, **row})
    return lists
