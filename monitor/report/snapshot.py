"""One look without a daemon: two readings of everything, a window apart, judged once; the daemon's one-shot twin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from monitor.collect.joints import Joints
from monitor.collect.runner import Runner, failed
from monitor.collect.way import way_to
from monitor.errors import Needs, ProbeError, TargetError, TargetUnreachable
from monitor.findings.ignores import Ignore, Ignores, without_ignored
from monitor.history.past import History
from monitor.lending import Lending
from monitor.measurement import Measurement
from monitor.model import Finding, Judgement, NoVerdict, Result, Server, Target
from monitor.overlap import FOREIGN_KEY, awaited_by, held_back, told_once
from monitor.planning import Planner
from monitor.probe import Probe, Scope
from monitor.report.between import through
from monitor.report.compose import compose
from monitor.report.glimpse import Glimpse, Past, grown
from monitor.report.pages import Pages, Said
from monitor.report.review import Review
from monitor.report.tally import Tally
from monitor.rule import Advisor, Judge
from monitor.rules.evaluate import advise, evaluate
from monitor.standing import ServerStanding, relatives, wanted
from monitor.status import NotEvaluated

AT_ONCE = 8
"""Servers looked at side by side."""

TRIES, AT_ONCE_SECONDS = 4, 1.0
"""How often something is asked whose session was ended at once, and what counts as at once."""

Progress = Callable[[str], None]


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
    planner: Lending | None = None
    """Who can tell what a planner would do with an index that is not there."""

    @property
    def judges(self) -> Sequence[Judge]:
        """Give every rule that is asked, by id."""
        rules = [rule for probe in self.probes for rule in probe.rules]
        return sorted([*rules, *self.advisors], key=lambda judge: judge.id)

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
    crowd, joints = asyncio.Semaphore(AT_ONCE), Joints()
    for server in question.servers:
        joints.join(server.name, server.serves)

    async def one(server: Server) -> Look:
        async with crowd:
            look = Look(server, question, progress, joints)
            await look.take()
            return look

    looks = await asyncio.gather(*(one(server) for server in question.servers))
    newest = {key: seen for look in looks for key, seen in look.newest.items()}
    for look in looks:
        await look.advise(newest)
    review = compose(
        [look.standing for look in looks],
        [finding for look in looks for finding in told_once(look.findings)],
        window=question.window,
        readings=[seen for look in looks for seen in look.newest.values()],
    )
    return replace(
        review,
        not_evaluated=[*review.not_evaluated, *_not_loaded(question)],
        ignored=sum(look.ignored for look in looks),
        checked=sum((look.tally for look in looks), Tally()).checked(question.judges),
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
    joints: Joints = field(default_factory=Joints)
    newest: dict[tuple[Target, str], Measurement] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    ignored: int = 0
    """How many findings the configuration says to ignore."""
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._ignores = Ignores(self.question.ignores)
        self._way = way_to(self.server)
        self._runner = Runner(snapshot=True, lifetime=not self.question.window, joints=self.joints)
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
                    seen = await self._runner.run(waiting[0], target, session)
                    self._note(seen)
                    if seen.unfinished:
                        self.progress(f"{target}: {seen.probe}: {seen.reason}")
                    else:
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

    async def advise(self, newest: Mapping[tuple[Target, str], Measurement]) -> None:
        """Let the advisors speak, once everything was read on all servers: on standbys too."""
        histories = {(self.server.name, name): history for name, history in (await self._histories()).items()}
        others = relatives(self.server, self.question.servers)
        for database in self.databases:
            target = Target(self.server.name, database)
            await self._advised(Pages(target, newest, histories, self._planner(database), relatives=others))
        await self._way.close()  # a planner may have asked the server again

    async def _advised(self, book: Pages) -> None:
        """Let them speak of one database; those who want to hear others speak last."""
        said: dict[str, Sequence[Finding]] = {}
        judgements = list[Judgement]()
        book = replace(book, said=lambda _, rule: Said(findings=said.get(rule, ())))
        for advisor in sorted(self.question.advisors, key=lambda each: bool(each.hears)):
            self.progress(f"{book.target}: {advisor.id}")
            judgement = await advise(advisor, book)
            said[advisor.id] = judgement.findings
            judgements.append(judgement)
        self._take(judgements)
        self._take_back(book.target, awaited_by(judgements))

    def _take_back(self, target: Target, awaited: Collection[str | None]) -> None:
        """Hold back findings that had better wait, now that this is known."""
        held = [each for each in self.findings if each.rule == FOREIGN_KEY and each.target == target]
        held = [each for each in held if each.subject in awaited]
        if held:
            self.findings = [each for each in self.findings if each not in held]
            said: tuple[Finding | NoVerdict, ...] = (*held, *self.standing.unsaid.get((target, FOREIGN_KEY), ()))
            judgement = Judgement(rule=FOREIGN_KEY, source=target, hold=0, keep=0, verdicts=said)
            self.standing.said([held_back(judgement, awaited)])

    def _planner(self, database: str) -> Planner | None:
        """Give who plans, with sessions on the server to be had."""
        planner = self.question.planner
        return None if planner is None else planner.beside(lambda: self._way.apart(database))

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
        self.tally.note(found, judgements)
        self.findings += _findings(judgements)
        self.ignored += len(_findings(found)) - len(_findings(judgements))


def _findings(judgements: Sequence[Judgement]) -> list[Finding]:
    return [finding for judgement in judgements for finding in judgement.findings]
