"""pgbench's bank, made and put to work by pgbench itself: as shipped, asked for more, and without its primary keys."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from monitor.embedded import EmbeddedServer, wheel_binaries
from tests.exam import world
from tests.exam.bank_work import ACCOUNTS, ASKED, BRANCHES, HISTORY, MOST, OWN, TELLERS
from tests.exam.model import Exam, Index, Match, Right, School, Shape, Wrong, btree
from tests.exam.world import Say

BRANCHES_AT_FULL_SCALE = 12
PAST = """
    insert into pgbench_history (tid, bid, aid, delta, mtime)
    select 1 + i % 10, 1, 1 + (i::bigint * 7919) % {accounts}, i % 100, now() - ({rows} - i) * interval '1 second'
      from generate_series(1, {rows}) i;
    analyze pgbench_history
"""
"""What was booked before: pgbench itself begins with an empty history."""

NO_CHANCE = (
    Wrong(table=BRANCHES, index=btree("bid"), match=Match.TABLE, why="a dozen rows"),
    Wrong(table=TELLERS, index=btree("bid"), match=Match.TABLE, why="a page of rows"),
    Wrong(
        table=ACCOUNTS,
        index=btree("abalance"),
        match=Match.HOLDS,
        why="each booking would write to all indexes; asked twice",
    ),
    Wrong(table=ACCOUNTS, index=btree("filler"), match=Match.HOLDS, why="all rows have the same"),
    Wrong(table=HISTORY, index=btree("mtime"), match=Match.LEADING, why="nobody asks by time alone"),
)
KEYED = (Wrong(table=ACCOUNTS, index=btree("aid"), match=Match.LEADING, why="the primary key serves it"),)
OF_A_BRANCH = Right(
    table=ACCOUNTS,
    answers=(btree("bid"), Index(keys=("bid",), method="brin")),
    shape="what a branch holds",
)
OF_AN_ACCOUNT = Right(
    table=HISTORY,
    answers=(btree("aid"), btree("aid", "mtime")),
    shape="last changes of an account",
)
AN_ACCOUNT = Right(table=ACCOUNTS, answers=(btree("aid"),), shape="pgbench: an account's balance")


def exam(name: str, asked: Sequence[Shape], *rights: Right, wrongs: Sequence[Wrong]) -> Exam:
    school = School(name=name, shapes=(*OWN, *asked), rights=rights, wrongs=(*wrongs,), drops=(), keeps=())
    return Exam(name=name, schools=(school,))


@dataclass(frozen=True, kw_only=True)
class Bank:
    """pgbench's tables in a state, and how many transactions of its scripts run there."""

    exam: Exam
    steps: str
    """What `pgbench --init-steps` does: drop, tables, generate, vacuum, primary keys."""
    asked: Sequence[Shape] = ()
    transactions: int = 1000

    async def load(self, running: EmbeddedServer, scale: float) -> str:
        """Make the database; give its DSN."""
        dsn = await world.create(running, self.exam)
        branches = max(round(BRANCHES_AT_FULL_SCALE * scale), 1)
        await pgbench(dsn, "--initialize", "--quiet", f"--init-steps={self.steps}", f"--scale={branches}")
        session = await asyncpg.connect(dsn)
        await session.execute(PAST.format(accounts=branches * 100_000, rows=branches * 20_000))
        await session.close()
        return dsn

    async def work(self, dsn: str, say: Say) -> None:
        """Run pgbench's own scripts, then ours."""
        session = await asyncpg.connect(dsn)
        await world.begin(session)
        await session.close()
        for script in ("tpcb-like", "simple-update", "select-only"):
            say(script)
            await pgbench(dsn, f"--builtin={script}", *self._times(self.transactions))
        for shape in self.asked:
            say(shape.name)
            await self._ask(dsn, shape)

    async def _ask(self, dsn: str, shape: Shape) -> None:
        draw = f"\\set value random(1, {MOST[shape.name]})\n" if "$1" in shape.sql else ""
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "asked.sql"
            script.write_text(f"{draw}{' '.join(shape.sql.split()).replace('$1', ':value')};\n", encoding="utf-8")
            await pgbench(dsn, f"--file={script}", *self._times(shape.calls))

    def _times(self, calls: int) -> Sequence[str]:
        """As an application: with prepared statements; always the same values."""
        return (f"--transactions={calls}", "--protocol=prepared", "--random-seed=42")


SHIPPED = Bank(exam=exam("bank", (), wrongs=(*NO_CHANCE, *KEYED)), steps="dtgvp")
BUSY = Bank(
    exam=exam("busy_bank", ASKED, OF_A_BRANCH, OF_AN_ACCOUNT, wrongs=(*NO_CHANCE, *KEYED)),
    steps="dtgvp",
    asked=ASKED,
)
KEYLESS = Bank(exam=exam("keyless_bank", (), AN_ACCOUNT, wrongs=NO_CHANCE), steps="dtgv", transactions=20)


async def pgbench(dsn: str, *words: str) -> None:
    """Run pgbench to its end."""
    process = await asyncio.create_subprocess_exec(
        *(str(wheel_binaries() / "bin" / "pgbench"), "--no-vacuum", *words, dsn),
        env={**os.environ, "PGAPPNAME": "bank"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    if process.returncode:
        raise RuntimeError(f"pgbench {words[0]}: {said}")
