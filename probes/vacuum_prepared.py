"""The rule on transactions that were prepared for a two-phase commit, and forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    duration,
    identifier,
    literal,
    number,
    of_kind,
    plural,
)
from probes.pool_groups import safe

NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class PreparedTransaction(Rule):
    """A prepared transaction waits for its second phase, and nobody ends it.

    Why: it keeps its locks and the xmin horizon without any session, over restarts too: who needs a locked row waits
    for ever, vacuum removes no newer dead row in any table of that database, and in the end ids run out.
    What to do: ask the transaction manager that prepared it (the gid is its name) whether it was to be committed or
    rolled back, and say so in that database as its owner or a superuser. If nothing here uses two-phase commit, set
    max_prepared_transactions = 0 afterwards, so that none can be made by mistake.
    When it is wrong: a transaction manager that was down for long and will resolve it when it is back. Raise `after`.
    The gid is shown, as it is the only name there is; what looks like a password or an address in it is not.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "server.prepared_transaction"
    area: ClassVar[Area] = Area.OPERATIONS
    after: float = 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in of_kind(seen.rows, "prepared"):
            if number(row, "prepared_seconds") >= self.after:
                yield self._accuse(seen, row)

    def _accuse(self, seen: Measurement, row: Row) -> Finding:
        age, held, database = number(row, "prepared_seconds"), number(row, "held_transactions"), str(row["database"])
        name = shown(str(row["gid"]))
        return self.finding(
            seen,
            in_database=database,
            subject=name,
            object=Object("server", name=seen.target.server),
            summary=f"prepared {duration(age)} ago by {identifier(str(row['role']))}, and {plural(held, 'transaction')}"
            " began since",
            impact="its locks stay, and dead rows newer than it cannot be removed from any table of this database",
            remedy=Remedy(caution=_choice(str(row["gid"]), database)),
            gid=name,
            role=str(row["role"]),
            prepared_seconds=round(age),
            held_transactions=round(held),
            after_seconds=self.after,
        )


def shown(gid: str) -> str:
    """Give a gid as it may be shown: printable, without what looks like a secret, and short."""
    printable = "".join(each if each.isprintable() else "?" for each in safe(gid))
    return printable if len(printable) <= NAME_LENGTH else printable[: NAME_LENGTH - 1] + "…"


def _choice(gid: str, database: str) -> str:
    """Say what a person has to decide, and both statements where the name can be shown whole."""
    who = f"Ask the transaction manager which of both it is; in database {identifier(database)}, as the owner or a "
    if shown(gid) != gid:
        return who + "superuser: commit prepared, or rollback prepared, with its gid from pg_prepared_xacts."
    return who + f"superuser: commit prepared {literal(gid)}, or rollback prepared {literal(gid)}."
