"""Why autovacuum leaves a table as it is, and what mends that."""

from __future__ import annotations

from enum import StrEnum

from monitor.probe import Remedy, Row, duration, number


class Cause(StrEnum):
    """Why dead rows stay, or statistics are old."""

    TABLE_OFF = "autovacuum is off for the table"
    SERVER_OFF = "autovacuum is off"
    HORIZON = "an old snapshot"
    NEVER = "it never came"
    LATE = "it comes too seldom"


def cause_of_dead(row: Row, whole: Row, *, after: float, transactions: float) -> Cause | None:
    """Say why dead rows stay; None: vacuum was there a short time ago, and there is no reason to complain."""
    if off := switched_off(row):
        return off
    if number(whole, "held_seconds") >= after or number(whole, "held_transactions") >= transactions:
        return Cause.HORIZON
    return _late(row["vacuumed_ago"], after)


def cause_of_stale(row: Row, *, after: float) -> Cause | None:
    """Say why statistics are old; None: they are not, or soon will not be."""
    return switched_off(row) or _late(row["analyzed_ago"], after)


def switched_off(row: Row) -> Cause | None:
    """Tell whether autovacuum may not come; the server's switch goes before the table's."""
    if not row["server_on"]:
        return Cause.SERVER_OFF
    return None if row["table_on"] else Cause.TABLE_OFF


def _late(ago: object, after: float) -> Cause | None:
    if not isinstance(ago, int | float):
        return Cause.NEVER
    return Cause.LATE if ago >= after else None


def words(cause: Cause, ago: object, whole: Row) -> str:
    """Say the cause to people; `ago`: the seconds since autovacuum was there."""
    match cause:
        case Cause.TABLE_OFF:
            return "autovacuum is switched off for this table"
        case Cause.SERVER_OFF:
            return "autovacuum is switched off for the whole server"
        case Cause.HORIZON:
            return f"vacuum may not remove them: {_holder(whole)}"
        case Cause.NEVER:
            return "autovacuum never came" + _workers(whole)
        case Cause.LATE:
            return f"autovacuum was last there {duration(float(str(ago)))} ago" + _workers(whole)


def _holder(whole: Row) -> str:
    if held := number(whole, "held_seconds"):
        return f"a transaction is open for {duration(held)}"
    return f"a standby or slot is {number(whole, 'held_transactions'):,.0f} transactions behind"


def _workers(whole: Row) -> str:
    if not whole or number(whole, "workers") < number(whole, "workers_limit"):
        return ""
    return f", and all {number(whole, 'workers_limit'):.0f} of its workers are busy"


SERVER_OFF = (
    "This mends one table, once. Switch autovacuum on for the server: `alter system set autovacuum = on` and "
    "`select pg_reload_conf()` as a superuser; on a managed service in its console's parameters."
)
OWNER = "Run it as the table's owner, outside a transaction; it may take long, and locks out neither reads nor writes."


def vacuumed(subject: str, cause: Cause) -> Remedy:
    """Mend dead rows."""
    if cause is Cause.HORIZON:
        return Remedy(
            caution="End what holds the horizon first (see sessions.long_transaction, sessions.idle_in_transaction and "
            "pg_replication_slots); until then a vacuum removes nothing."
        )
    return _mended(subject, f"vacuum (analyze) {subject}", cause)


def analyzed(subject: str, cause: Cause) -> Remedy:
    """Mend old statistics."""
    return _mended(subject, f"analyze {subject}", cause)


def _mended(subject: str, statement: str, cause: Cause) -> Remedy:
    if cause is Cause.TABLE_OFF:
        return Remedy(
            sql=(f"alter table {subject} reset (autovacuum_enabled)", statement),
            rollback=(f"alter table {subject} set (autovacuum_enabled = false)",),
            caution=f"Ask first who switched it off, and why. {OWNER}",
        )
    return Remedy(sql=(statement,), caution=SERVER_OFF if cause is Cause.SERVER_OFF else OWNER)
