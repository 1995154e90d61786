"""A probe's eye on one test database: real session, real runner, real evaluation; no ledger and no daemon."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from monitor.collect.runner import Runner
from monitor.collect.server import PostgresServer
from monitor.collect.way import Way, way_to
from monitor.measurement import Measurement
from monitor.model import Finding, NoVerdict, Secret, Server, Target
from monitor.probe import Probe, Scope
from monitor.report.pages import Pages
from monitor.rule import Rule
from monitor.rules.evaluate import evaluate


class Eye:
    """Looks with one probe as often as asked; `rules` replace the probe's own."""

    def __init__(self, server: Way, runner: Runner, probe: Probe, database: str) -> None:
        self.server, self.runner, self.probe, self.database = server, runner, probe, database

    async def look(self) -> Measurement:
        """Take one reading."""
        if self.probe.scope is Scope.DATABASE:
            async with self.server.visit(self.database, stay=True) as session:
                return await self.runner.run(self.probe, Target("test", self.database), session)
        async with self.server.home() as session:
            return await self.runner.run(self.probe, Target("test"), session)

    def verdicts(self, seen: Measurement, *rules: Rule) -> list[Finding | NoVerdict]:
        """Let the rules judge; of a server-wide probe only what concerns this database or the whole server."""
        judgements = evaluate(rules or self.probe.rules, seen)
        said = [verdict for judgement in judgements for verdict in judgement.verdicts]
        return [each for each in said if isinstance(each, NoVerdict) or each.target.database in (None, self.database)]

    def findings(self, seen: Measurement, *rules: Rule) -> list[Finding]:
        """Give only what accuses."""
        return [verdict for verdict in self.verdicts(seen, *rules) if isinstance(verdict, Finding)]

    def unsaid(self, seen: Measurement, *rules: Rule) -> list[NoVerdict]:
        """Give only what could not be judged."""
        return [verdict for verdict in self.verdicts(seen, *rules) if isinstance(verdict, NoVerdict)]


def book_of(database: str, *readings: Measurement) -> Pages:
    """Give an advisor's book over readings of one database and of its server."""
    return Pages(Target("test", database), {(seen.target, seen.probe): seen for seen in readings})


def reading(book: Pages, probe: str) -> Measurement:
    """Give a probe's reading, which has to be in the book."""
    seen = book.last(probe)
    assert seen is not None
    return seen


def rewritten(book: Pages, *readings: Measurement) -> Pages:
    """Give the book with these readings in place of its own."""
    return book_of(str(book.target.database), *book.newest.values(), *readings)


@asynccontextmanager
async def eye(
    dsn: str, database: str, probe: Probe, *, options: object = None, snapshot: bool = False, lifetime: bool = False
) -> AsyncIterator[Eye]:
    """Open an eye on the database a DSN names."""
    server = PostgresServer(Server(name="test", dsn=Secret(dsn), only=database), environ={})
    if options is not None:
        probe = replace(probe, options=options)
    try:
        yield Eye(server, Runner(snapshot=snapshot, lifetime=lifetime), probe, database)
    finally:
        await server.close()


@asynccontextmanager
async def eye_of(server: Server, probe: Probe, *, snapshot: bool = False) -> AsyncIterator[Eye]:
    """Open an eye on a pooler or an application's pool."""
    way = way_to(server)
    try:
        yield Eye(way, Runner(snapshot=snapshot), probe, "")
    finally:
        await way.close()


async def judge(
    dsn: str, database: str, probe: Probe, rules: Sequence[Rule], *, options: object = None
) -> list[Finding]:
    """Look once and give the findings."""
    async with eye(dsn, database, probe, options=options) as opened:
        return opened.findings(await opened.look(), *rules)
