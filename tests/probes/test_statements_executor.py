"""Jit compilation and parallel workers of slow statements: read where the server counts them, and told in the words."""

from collections.abc import Sequence
from dataclasses import replace

from monitor.model import Finding
from monitor.probe import Facts, Row
from probes.statements import PROBE, Slow
from probes.statements_executor import A_RUN, Executor, executed, slowed
from probes.statements_texts import Texts, unknown
from probes.statements_top import View
from tests.database import Database

ENTRY = (1, 7)
LABEL = unknown(ENTRY).label
SHOP = View(databases={1: "shop"}, roles={1: "api"})
FACTS = Facts(
    version_num=180000, version="18", database="shop", role="m", in_recovery=False, superuser=False, started_at=0.0
)
SLOW = {"dbid": 1, "queryid": 7, "calls": 10.0, "exec_seconds": 1.0}
READ = {"dbid": 1, "queryid": 7, "calls": 100.0, "exec_ms": 9000.0, "jit_ms": 3600.0, "wanted": 0.0, "launched": 0.0}
ONE, TWO = {"roles": ("api",)}, {"roles": ("api", "Worker")}


class Teller:
    """A session that gives what a test wrote down, and counts how often it was asked."""

    facts = FACTS

    def __init__(self, *rows: Row) -> None:
        self.rows, self.asked = rows, 0

    async def fetch(self, _sql: str, *_arguments: object) -> Sequence[Row]:
        self.asked += 1
        return self.rows


async def learnt(row: Row) -> Row:
    """What a summed statement is told."""
    executor = Executor()
    await executor.learn(Teller(row), [SLOW], 0)
    return executor.evidence([SLOW], Texts(), SHOP)[LABEL, "shop"]


async def test_compiling_is_told_as_a_share_of_all_time_so_far() -> None:
    """Sick, at the limit, and without any."""
    told = {**await learnt(READ), **ONE}
    assert executed(told) == {"jit_share_lifetime": 0.4, "jit_ms_per_call_lifetime": 36.0}
    words = slowed(told, jit_share=0.3, workers_share=0.5)
    assert "36 ms a call (40%) are jit compilation: alter role api set jit = off, or raise jit_above_cost" in words
    assert slowed(told, jit_share=0.4, workers_share=0.5) == ""
    assert await learnt({**READ, "jit_ms": 0.0}) == {}


async def test_several_roles_are_not_named_in_a_statement() -> None:
    """What is done for one of them would not mend it."""
    words = slowed({**await learnt(READ), **TWO}, jit_share=0.3, workers_share=0.5)
    assert "set jit = off for its roles" in words
    assert "Worker" not in words


async def test_workers_that_were_not_had_are_told() -> None:
    """Sick, and at the limit."""
    told = {**await learnt({**READ, "jit_ms": 0.0, "wanted": 200.0, "launched": 80.0}), **ONE}
    assert executed(told) == {"workers_wanted_lifetime": 200, "workers_launched_lifetime": 80}
    assert "Of 200 parallel workers it wanted so far it had 80" in slowed(told, jit_share=0.3, workers_share=0.5)
    assert slowed(told, jit_share=0.3, workers_share=0.4) == ""


async def test_an_older_server_counts_neither() -> None:
    assert await learnt({**READ, "jit_ms": None, "wanted": None, "launched": None}) == {}


async def test_reading_rests() -> None:
    """Not before its time, not while nothing is slow, and not where nothing is counted."""
    executor, teller = Executor(), Teller(READ)
    await executor.learn(teller, [{**SLOW, "calls": 1000.0}], 0)
    assert teller.asked == 0
    for _ in range(10):
        await executor.learn(teller, [SLOW], 4 * A_RUN)
    assert teller.asked == 2
    teller.facts = replace(FACTS, version_num=140000)
    await Executor().learn(teller, [SLOW], 0)
    assert teller.asked == 2


async def slow(database: Database, sql: str, **settings: str) -> Finding:
    """Run a slow statement, and give what is found of it."""
    monitor = await database.as_monitor()
    async with monitor.eye(PROBE) as eye:
        await eye.look()
        session = await database.connect(**settings)
        for _ in range(4):
            await session.fetch(sql)
        await session.close()
        findings = eye.findings(await eye.look(), Slow(simple_ms=5, complex_ms=5, min_calls=4, settled=0))
    (finding,) = (each for each in findings if "orders" in str(each.evidence["tables"]))
    return finding


async def test_every_version_is_read_and_18_tells_of_workers(any_database: Database) -> None:
    """A plan that wants two workers, of which the server has none to give."""
    await any_database.execute("create table orders as select g as id from generate_series(1, 1000) g; analyze orders")
    wanting = {"max_parallel_workers_per_gather": "2", "max_parallel_workers": "0", "min_parallel_table_scan_size": "0"}
    cheap = {"parallel_setup_cost": "0", "parallel_tuple_cost": "0"}
    finding = await slow(any_database, "select pg_sleep(0.03), count(*) from orders", **wanting, **cheap)
    version = await any_database.value("select current_setting('server_version_num')::int / 10000")
    told = {name: value for name, value in finding.evidence.items() if "lifetime" in name}
    assert told == ({"workers_wanted_lifetime": 8, "workers_launched_lifetime": 0} if version >= 18 else {})
    assert ("Of 8 parallel workers" in finding.remedy.caution) == (version >= 18)
