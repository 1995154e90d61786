"""The ledger at work: its statements."""

from tests.exam.model import Shape

ACCOUNTS, ENTRIES, TICKETS, TRANSFERS = "ledger.accounts", "ledger.entries", "ledger.tickets", "ledger.transfers"

READS = (
    Shape(
        name="statement of an account",
        tables=(ENTRIES,),
        sql="""select id, amount, booked_at from ledger.entries
                where account_id = $1 and booked_at >= $2 order by booked_at""",
        values="select i, now() - interval '10 days' from generate_series(1, 60) i",
        calls=60,
    ),
    Shape(
        name="entry by reference",
        tables=(ENTRIES,),
        sql="select id, amount from ledger.entries where ref = $1",
        values="select md5(i::text) from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="a day's turnover",
        tables=(ENTRIES,),
        sql="select kind, sum(amount) from ledger.entries where booked_at >= $1 and booked_at < $2 group by kind",
        values="select now() - i * interval '1 day', now() - (i - 1) * interval '1 day' from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="turnover by kind",
        tables=(ENTRIES,),
        sql="select kind, sum(amount), max(booked_at) from ledger.entries group by kind",
        calls=5,
    ),
    Shape(
        name="entries of one date",
        tables=(ENTRIES,),
        sql="select count(*), sum(amount) from ledger.entries where date_trunc('month', booked_at) = $1",
        values="select date_trunc('month', now() - interval '60 days')",
        calls=3,
    ),
    Shape(
        name="entries with a counter account",
        tables=(ENTRIES,),
        sql="select id, amount from ledger.entries where counter_account = $1 and kind = $2",
        values="select i, 'kind 1' from generate_series(1, 100) i",
        calls=100,
    ),
    Shape(
        name="transfers of an account",
        tables=(TRANSFERS,),
        sql="select id, amount from ledger.transfers where from_account = $1 or to_account = $1",
        values="select i from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="most urgent tickets",
        tables=(TICKETS,),
        sql="select id, subject from ledger.tickets order by priority desc, opened_at limit 20",
        calls=40,
    ),
    Shape(
        name="new tickets of a clerk",
        tables=(TICKETS,),
        sql="select id, subject from ledger.tickets where assigned_to = $1 and status = 'new'",
        values="select i from generate_series(1, 40) i",
        calls=60,
    ),
    Shape(
        name="closed tickets",
        tables=(TICKETS,),
        sql="select avg(length(subject)), max(subject) from ledger.tickets where closed_at > $1",
        values="select now() - interval '80 days'",
        calls=10,
    ),
    Shape(
        name="accounts in the red",
        tables=(ACCOUNTS,),
        sql="select count(*), min(owner) from ledger.accounts where balance < $1",
        values="select -49",
        calls=2,
    ),
    Shape(
        name="account by number",
        tables=(ACCOUNTS,),
        sql="select id, balance from ledger.accounts where iban = $1",
        values="select iban from ledger.accounts order by id limit 300",
        calls=300,
    ),
    Shape(
        name="rate of a day",
        tables=("ledger.rates",),
        sql="select rate from ledger.rates where currency = $1 and valid_on = $2",
        values="select currency, valid_on from ledger.rates",
        calls=1000,
    ),
    Shape(
        name="trail of an object",
        tables=("ledger.audit",),
        sql="select actor, at from ledger.audit where object_id = $1",
        values="select 17",
        calls=2,
    ),
    Shape(
        name="a page far back",
        tables=("ledger.audit",),
        sql="select id, actor from ledger.audit order by id offset 15000 limit 20",
        calls=5,
    ),
)

WRITES = (
    Shape(
        name="an entry",
        tables=(ENTRIES,),
        sql="""insert into ledger.entries (account_id, counter_account, kind, ref, amount, booked_at)
               values ($1, $2, 'kind 1', $3, 10, now())""",
        values="select 1 + i % 400, i, md5('new' || i) from generate_series(1, 2000) i",
        calls=2000,
    ),
    Shape(
        name="a balance",
        tables=(ACCOUNTS,),
        sql="update ledger.accounts set balance = balance + $2 where id = $1",
        values="select id, 1 from ledger.accounts order by md5(id::text) limit 5000",
        calls=20000,
    ),
    Shape(
        name="a transfer",
        tables=(TRANSFERS,),
        sql="insert into ledger.transfers (from_account, to_account, amount) values ($1, $2, 5)",
        values="select i, i + 1 from generate_series(1, 1000) i",
        calls=1000,
    ),
    Shape(
        name="a ticket",
        tables=(TICKETS,),
        sql="""insert into ledger.tickets (assigned_to, priority, status, subject, opened_at)
               values ($1, 1, 'new', 'A question', now())""",
        values="select i from generate_series(1, 500) i",
        calls=500,
    ),
    Shape(
        name="a trail",
        tables=("ledger.audit",),
        sql="insert into ledger.audit (actor, object_id) values ($1, $2)",
        values="select 'actor ' || i % 300, (random() * 20000)::int from generate_series(1, 10000) i",
        calls=40000,
    ),
)
