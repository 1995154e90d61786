"""The ledger: which indexes are right for its statements, which are not, and which should go."""

from tests.exam.ledger_work import ACCOUNTS, ENTRIES, READS, TICKETS, TRANSFERS, WRITES
from tests.exam.model import Drop, Index, Keep, Match, Right, School, Wrong, btree

FROM, TO = btree("from_account"), btree("to_account")
STATEMENT = btree("account_id", "booked_at")

RIGHTS = (
    Right(table=ENTRIES, answers=(STATEMENT,), shape="statement of an account"),
    Right(table=ENTRIES, answers=(btree("ref"),), shape="entry by reference"),
    Right(
        table=ENTRIES,
        answers=(
            btree("booked_at"),
            Index(keys=("booked_at",), method="brin"),
            btree("booked_at", "kind"),
        ),
        shape="a day's turnover",
    ),
    Right(table=TRANSFERS, answers=(FROM,), shape="transfers of an account", beside=((TRANSFERS, TO),)),
    Right(table=TRANSFERS, answers=(TO,), shape="transfers of an account", beside=((TRANSFERS, FROM),)),
    Right(
        table=TICKETS,
        answers=(btree("priority desc", "opened_at"),),
        shape="most urgent tickets",
        directed=True,
    ),
    Right(
        table=TICKETS,
        answers=(
            btree("assigned_to"),
            btree("assigned_to", "status"),
            btree("status", "assigned_to"),
            btree("assigned_to", where="status = 'new'"),
        ),
        shape="new tickets of a clerk",
    ),
)

WRONGS = (
    Wrong(
        table=ENTRIES,
        index=btree("account_id"),
        given=((ENTRIES, STATEMENT),),
        why="the one on (account_id, booked_at) serves it",
    ),
    Wrong(table=ENTRIES, index=btree("kind"), match=Match.LEADING, why="the report reads everything"),
    Wrong(
        table=ENTRIES,
        index=btree("date_trunc('month', booked_at)"),
        why="the function depends on the time zone",
    ),
    Wrong(
        table=ENTRIES,
        index=btree("counter_account", "kind"),
        match=Match.LEADING,
        why="the index on (counter_account) leaves two rows to look at",
    ),
    Wrong(table=TICKETS, index=btree("closed_at"), match=Match.LEADING, why="nearly all rows are asked for"),
    Wrong(table=TICKETS, index=btree("status"), match=Match.EXACT, why="a quarter of the rows on every page"),
    Wrong(
        table=ACCOUNTS,
        index=btree("balance"),
        match=Match.HOLDS,
        why="each booking would write to all indexes; asked twice",
    ),
    Wrong(table=ACCOUNTS, index=btree("iban"), match=Match.LEADING, why="the unique constraint serves it"),
    Wrong(table="ledger.rates", index=btree("currency", "valid_on"), match=Match.TABLE, why="the table is tiny"),
    Wrong(table="ledger.audit", index=btree("object_id"), match=Match.HOLDS, why="written all day, asked twice"),
)

DROPS = (
    Drop(any_of=("ledger.accounts_iban",), why="the unique constraint has the same"),
    Drop(any_of=("ledger.audit_object_once",), why="it is invalid: its build failed"),
    Drop(any_of=("ledger.audit_actor",), why="nobody asks by actor", aged=True),
)

KEEPS = (
    Keep(name="ledger.accounts_iban_key", why="never scanned: accounts_iban takes all its scans, and goes"),
    Keep(name="ledger.vault_slots_during_excl", why="never scanned, but it is the exclusion constraint"),
    Keep(name="ledger.replicated_code", why="never scanned, but it is the replica identity"),
)

LEDGER = School(name="ledger", shapes=READS + WRITES, rights=RIGHTS, wrongs=WRONGS, drops=DROPS, keeps=KEEPS)
