"""Applications that open a session for each piece of work: joins the databases' counters with who was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.errors import Needs
from monitor.measurement import Measurement, Row, duration, number, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Result, Severity
from monitor.rule import Advisor, Book
from monitor.sql.text import identifier


@dataclass(frozen=True, kw_only=True)
class Churn(Advisor):
    """Sessions come and go all the time: nobody pools them.

    Why: a new session costs the server a process, a login and cold caches, several milliseconds of processor, often
    more than the statement it is opened for; under load the logins themselves fill the slots.
    What to do: let the application keep its sessions (a pool of a few a process), or put a transaction pooler before
    the server; serverless functions and processes that live for one request need the pooler.
    Sessions that are still connected are not counted: a deployment opens many at once, and keeps them.
    When it is wrong: a pooler with a very short `server_lifetime`, or a batch of many small programs that is meant so.
    The mean counts the time of long sessions as well, so a pool beside the churn may hide it. Who it is, is what
    young sessions were seen of, not a proof. Raise `per_second`.
    Cost: none beyond the readings of the probes server and pool.
    """

    id: ClassVar[str] = "pool.churn"
    area: ClassVar[Area] = Area.CAPACITY
    reads: ClassVar[tuple[str, ...]] = ("server", "pool")
    severity: Severity = Severity.INFO
    hold: float = 60.0
    keep: float = 300.0
    per_second: float = 1.0
    min_sessions: float = 100.0
    mean_seconds: float = 30.0

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen = book.last("server")
        if seen is None:
            return [NoVerdict(reason="the server was not read yet", needs=Needs.HISTORY)]
        if seen.result is not Result.OK:
            return [NoVerdict(reason=seen.reason, needs=seen.needs)]
        rows = [row for row in seen.changes if row["database"] == book.target.database]
        return [self._accuse(book, seen, row) for row in rows if self._churns(row, seen.window_seconds)]

    def _churns(self, row: Row, seconds: float) -> bool:
        begun, spent = number(row, "sessions_begun"), number(row, "session_seconds")
        gone = begun - number(row, "sessions")
        often = gone >= max(self.min_sessions, self.per_second * seconds)
        return often and seconds > 0 and spent <= self.mean_seconds * begun

    def _accuse(self, book: Book, seen: Measurement, row: Row) -> Finding:
        begun, spent, name = number(row, "sessions_begun"), number(row, "session_seconds"), str(row["database"])
        young = _young(book.last("pool"), name)
        who = f" Young sessions were seen of {', '.join(young)}." if young else ""
        return self.finding(
            book.target,
            in_database=name,
            subject=identifier(name),
            object=Object("database", name=name),
            summary=f"{begun / seen.window_seconds:.1f} new sessions a second ({plural(begun, 'session')} in "
            f"{duration(seen.window_seconds)}), each {duration(spent / begun)} long on average",
            impact="each pays for a process and a login before its first statement, and takes a slot meanwhile",
            remedy=Remedy(
                caution=f"Keep sessions open between pieces of work: a pool in the application, or a transaction "
                f"pooler before the server.{who}"
            ),
            confidence=Confidence.MEDIUM if seen.lifetime else Confidence.HIGH,
            count=round(begun),
            per_second=round(begun / seen.window_seconds, 2),
            mean_seconds=round(spent / begun, 3),
            window_seconds=round(seen.window_seconds, 1),
            applications=young,
        )


def _young(pool: Measurement | None, database: str) -> Sequence[str]:
    """Name whose sessions in a database are mostly younger than 10 s, the many first."""
    if pool is None or pool.result is not Result.OK:
        return []
    begun, all_ = Counter[str](), Counter[str]()
    for row in pool.rows:
        if row.get("kind") == "group" and row["database"] == database:
            role, application = identifier(str(row["role"])), str(row["application"])
            who = f"{role} ({application})" if application else role
            begun[who] += round(number(row, "begun_10"))
            all_[who] += round(number(row, "sessions") - number(row, "own_sessions"))
    return [who for who, count in begun.most_common(5) if 0 < all_[who] <= 2 * count]
