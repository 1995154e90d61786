"""pgbench's bank at work: what its own scripts do, and what ours ask beside them."""

from tests.exam.model import Shape

ACCOUNTS, HISTORY = "public.pgbench_accounts", "public.pgbench_history"
BRANCHES, TELLERS = "public.pgbench_branches", "public.pgbench_tellers"

ANY_ACCOUNT = "select i * 37 from generate_series(1, 500) i"
PENCE = "select 1, i * 37 from generate_series(1, 500) i"

OWN = (
    Shape(
        name="pgbench: an account",
        tables=(ACCOUNTS,),
        sql="select abalance from pgbench_accounts where aid = $1",
        values=ANY_ACCOUNT,
        calls=2000,
    ),
    Shape(
        name="pgbench: an account's balance",
        tables=(ACCOUNTS,),
        sql="update pgbench_accounts set abalance = abalance + $1 where aid = $2",
        values=PENCE,
        calls=2000,
    ),
    Shape(
        name="pgbench: a teller's balance",
        tables=(TELLERS,),
        sql="update pgbench_tellers set tbalance = tbalance + $1 where tid = $2",
        values="select 1, 1 + i % 10 from generate_series(1, 500) i",
        calls=1000,
    ),
    Shape(
        name="pgbench: a branch's balance",
        tables=(BRANCHES,),
        sql="update pgbench_branches set bbalance = bbalance + $1 where bid = $2",
        values="select 1, 1 from generate_series(1, 500) i",
        calls=1000,
    ),
    Shape(
        name="pgbench: the history",
        tables=(HISTORY,),
        sql="""insert into pgbench_history (tid, bid, aid, delta, mtime)
               values ($1, $2, $3, $4, current_timestamp)""",
        values="select 1, 1, i, 1 from generate_series(1, 500) i",
        calls=2000,
    ),
)
"""As pgbench's own scripts say them: only timed here, never run by us."""

ASKED = (
    Shape(
        name="what a branch holds",
        tables=(ACCOUNTS,),
        sql="select sum(abalance) from pgbench_accounts where bid = $1",
        values="select 1 + i % 2 from generate_series(1, 10) i",
        calls=30,
    ),
    Shape(
        name="last changes of an account",
        tables=(HISTORY,),
        sql="select delta, mtime from pgbench_history where aid = $1 order by mtime desc limit 10",
        values=ANY_ACCOUNT,
        calls=60,
    ),
    Shape(
        name="the tellers of a branch",
        tables=(TELLERS,),
        sql="select tid, tbalance from pgbench_tellers where bid = $1",
        values="select 1 + i % 2 from generate_series(1, 10) i",
        calls=600,
    ),
    Shape(
        name="accounts in the red",
        tables=(ACCOUNTS,),
        sql="select count(*) from pgbench_accounts where abalance < -4000",
        calls=2,
    ),
    Shape(
        name="accounts with a note",
        tables=(ACCOUNTS,),
        sql="select count(*) from pgbench_accounts where filler = 'a note'",
        calls=5,
    ),
)
"""What ours ask, by scripts of these texts."""

MOST = {"what a branch holds": 2, "last changes of an account": 100_000, "the tellers of a branch": 2}
"""A script's parameter is drawn at random from 1 to here."""
