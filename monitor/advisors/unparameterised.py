"""Values that stand in the statements' texts: suspected, proved, and texts that somebody's input has bent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from monitor.advisors.statement_rows import rows_by_key
from monitor.advisors.unparameterised_sets import SHOWN, Proof, Sets
from monitor.errors import Needs
from monitor.history.past import Key
from monitor.measurement import Measurement, Row, duration, number, plural
from monitor.model import Area, Confidence, Finding, NoVerdict, Object, Remedy, Result, Scalar, Severity
from monitor.rule import Advisor, Book
from monitor.sql.text import identifier
from monitor.summed import described, table_names

PEOPLE_AND_MIGRATIONS = (
    "psql*", "pg_dump*", "pg_restore*", "pgAdmin*", "DBeaver*", "DataGrip*", "IntelliJ*", "TablePlus*", "Postico*",
    "flyway*", "liquibase*", "alembic*", "*migrat*", "schema-engine*", "supabase*", "postgres-meta*",
)  # fmt: skip
"""Applications whose statements people or tools write by hand."""

BIND = (
    "Pass values as parameters of the driver (`execute(sql, values)`), never by formatting them into the text. Where "
    "the code does so and the driver writes them into the text itself, switch that off: psycopg 3 instead of psycopg2 "
    "or ClientCursor, preferQueryMode=extended of pgjdbc, no emulated prepares of PDO."
)
INCIDENT = (
    "Treat it as an incident: find the request behind it (application, time, address in the logs), see what it read or "
    "changed, and close the place in the code that puts an input into a statement's text. Pass values as parameters."
)
IMPACT = "each set of values is a statement of its own to parse and plan, and an input that was not quoted runs as SQL"


@dataclass(frozen=True, kw_only=True)
class _Sight:
    """What was sampled of one database's application roles, and what is known of the statements."""

    seen: Measurement
    forms: Sequence[Row]
    rows: Mapping[Key, Row]

    def known(self, row: Row) -> Row:
        """Give the statement of a sample; nothing of one that is not among the busiest."""
        return self.rows.get((str(row["database"]), str(row["statement"])), {})

    def told(self, row: Row) -> str:
        """Say which statement it is."""
        known = self.known(row)
        return f"a {described(known)}" if known else "one statement"


@dataclass(frozen=True, kw_only=True)
class Unparameterised(Advisor):
    """A statement's values stand in its text instead of being bound.

    Why: a text put together from values is parsed and planned anew for each of them, and the first input that nobody
    quoted runs as SQL: that is SQL injection. Critical, at once: a text has the shape of an attack (a condition that is
    always true behind a constant, a second statement, a union with the catalogue, a rest made a comment, a time delay,
    values read out by pieces). Warning, proved: one statement (query_id) of one application role came with
    `min_different` different sets of constants, and samples go on bringing new ones, or with 20. Where nothing varies
    but plain words or single digits, as states that a program names itself, it takes 20, or 8 digits. Info, suspected:
    fewer, but it runs under a second query_id as well, as a bound and a literal form of one statement do; or values,
    but the same few again and again; or ten words and more, all new.
    What to do: pass values as parameters of the driver. An attack is an incident: look at what it read and changed.
    When it is wrong: on the wire, values that a driver writes into the text itself (psycopg2, ClientCursor, emulated
    prepares, the simple protocol before PgBouncer's statement mode) look like values formatted by hand; they are
    quoted, but planned anew all the same. Evidence says what speaks for it (`role_binds_elsewhere`: the driver can
    bind) and whether the sets repeat as constants of a program would (then confidence is medium). LIMIT, OFFSET, null,
    true, false and the length of a list do not count. Superusers (unless `superusers`), the monitor's role, `roles` and
    `applications` (globs; people's and migrations' tools) are left out. Attacks that change an identifier, or come in
    whole as somebody's own statement, are not seen; nor those that look as programs write: a second plain statement, a
    union among own tables, a remark behind a number (of 330 attacks in tests/unit/injections 37 pass by, of 204
    harmless texts none is told); nor is what no sample met: below `min_samples` of them, as in a
    snapshot without a window, what was met is told, but that is no verdict on the rest.
    Cost: none beyond the samples of the probe activity. No constant is kept: salted hashes, in memory, for an hour.
    """

    id: ClassVar[str] = "statements.unparameterised"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("activity", "statements")
    every: float = 10.0
    keep: float = 600.0
    min_different: int = 5
    min_suspected: int = 2
    min_samples: int = 10
    superusers: bool = False
    applications: tuple[str, ...] = PEOPLE_AND_MIGRATIONS
    roles: tuple[str, ...] = ()

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        seen, statements = book.last("activity"), book.last("statements")
        if seen is None:
            return [NoVerdict(reason="sessions were not sampled yet", needs=Needs.HISTORY)]
        if seen.result is not Result.OK:
            return [NoVerdict(reason=seen.reason, needs=seen.needs)]
        forms = [*self._concerning(book, seen, "form")]
        reason, needs = _unread(statements)
        rows = rows_by_key(statements, book.target.database) if statements is not None and not reason else {}
        sight = _Sight(seen=seen, forms=forms, rows=rows)
        verdicts: list[Finding | NoVerdict] = [*self._attacks(book, seen), *self._proved(sight)]
        suspects = [row for row in forms if self._different(row) >= self.min_suspected]
        told = {each.subject for each in verdicts if isinstance(each, Finding)}
        suspects = [row for row in suspects if row["statement"] not in told]
        if statements is not None and not reason:
            verdicts += self._suspected(sight, statements, suspects)
        elif suspects:
            verdicts.append(NoVerdict(reason=f"whether suspects have a bound twin is not known: {reason}", needs=needs))
        taken = [samples for row in seen.rows if isinstance(samples := row.get("samples"), int)]
        if taken and taken[0] < self.min_samples:
            reason = f"sessions were sampled {plural(taken[0], 'time')} only: that no more was met means little yet"
            verdicts.append(NoVerdict(reason=reason, needs=Needs.HISTORY))
        return verdicts

    def _concerning(self, book: Book, seen: Measurement, kind: str) -> Iterator[Row]:
        """Give what was sampled of this database's application roles."""
        for key, row in seen.details.items():
            if not isinstance(key, tuple) or key[0] != kind or row["database"] != book.target.database:
                continue
            exempt = row["own"] or (row["superuser"] and not self.superusers)
            if not exempt and not _among(str(row["role"]), self.roles):
                yield row

    def _counted(self, row: Row, column: str) -> Mapping[str, int]:
        """Give a count by application, without those that are left out."""
        counts = row[column]
        pairs = counts.items() if isinstance(counts, dict) else ()
        return {str(name): int(count) for name, count in pairs if not _among(str(name), self.applications)}

    def _different(self, row: Row) -> int:
        return sum(self._counted(row, "different").values())

    def _attacks(self, book: Book, seen: Measurement) -> Iterator[Finding]:
        for row in self._concerning(book, seen, "attack"):
            times = self._counted(row, "times")
            if times:
                yield self._attacked(seen, row, times)

    def _attacked(self, seen: Measurement, row: Row, times: Mapping[str, int]) -> Finding:
        count, shape, role = sum(times.values()), str(row["shape"]), str(row["role"])
        statements = [str(each) for each in _tuple(row["statements"])]
        return self.finding(
            seen,
            in_database=str(row["database"]),
            subject=f"{identifier(role)} ({shape})",
            object=Object("statement", name=statements[-1] if statements else None),
            summary=f"{plural(count, 'text')} of role {identifier(role)} ({_names(times)}) of the shape of an SQL "
            f"injection: {shape}, last seen {duration(number(row, 'last_seconds'))} ago",
            impact="somebody's input runs as SQL with this role's rights: it reads or changes whatever the role may",
            remedy=Remedy(caution=INCIDENT),
            severity=Severity.CRITICAL,
            confidence=Confidence.HIGH if count > 1 else Confidence.MEDIUM,
            grade="attack-like",
            shape=shape,
            count=count,
            role=role,
            applications=sorted(times),
            statements=statements,
            first_seen_seconds=round(number(row, "first_seconds"), 1),
            last_seen_seconds=round(number(row, "last_seconds"), 1),
        )

    def _proved(self, sight: _Sight) -> Iterator[Finding]:
        """Of the roles that send a statement, tell of the one that shows most."""
        best: dict[str, tuple[Proof, int, Row]] = {}
        for row in sight.forms:
            sets = self._sets(row)
            this, known = (sets.proof(self.min_different), sets.different, row), best.get(str(row["statement"]))
            if this[0] is not Proof.NONE and (known is None or this[:2] > known[:2]):
                best[str(row["statement"])] = this
        for proof, _, row in best.values():
            yield self._proof(sight, row, self._sets(row), proof)

    def _sets(self, row: Row) -> Sets:
        seen, takes = sum(self._counted(row, "seen").values()), _integer(row["takes"])
        return Sets(different=self._different(row), seen=seen, takes=takes or 0)

    def _proof(self, sight: _Sight, row: Row, sets: Sets, proof: Proof) -> Finding:
        sure = proof in {Proof.SURE, Proof.LIKELY}
        return self._accusation(
            sight,
            row,
            summary=f"role {identifier(str(row['role']))} ({_names(self._counted(row, 'different'))}) was seen to send "
            f"{sight.told(row)} with {sets.different} different {SHOWN[proof]}",
            severity=self.severity if sure else Severity.INFO,
            confidence={Proof.SURE: Confidence.HIGH, Proof.LIKELY: Confidence.MEDIUM}.get(proof, Confidence.LOW),
            grade="proved" if sure else "suspected",
            sets_repeat=sets.repeat,
        )

    def _suspected(self, sight: _Sight, statements: Measurement, suspects: Sequence[Row]) -> Iterator[Finding]:
        forms = [row for key, row in sight.seen.details.items() if isinstance(key, tuple) and key[0] == "form"]
        bound = {row["query_id"] for row in forms if row["bound"]}
        twins = dict(_twins(statements))
        for row in suspects:
            others = twins.get((str(row["database"]), str(row["role"]), row["query_id"]), {})
            if not others:
                continue
            yield self._accusation(
                sight,
                row,
                summary=f"role {identifier(str(row['role']))} runs {sight.told(row)} under {len(others) + 1} "
                f"query ids, one of them with constants in its text ({self._different(row)} different sets seen)",
                severity=Severity.INFO,
                confidence=Confidence.LOW,
                grade="suspected",
                query_ids=[_integer(row["query_id"]), *others],
                twin_is_bound=any(other in bound for other in others),
                twin_calls=round(sum(others.values())),
            )

    def _accusation(
        self,
        sight: _Sight,
        row: Row,
        *,
        summary: str,
        severity: Severity,
        confidence: Confidence,
        **more: Scalar | Sequence[Scalar],
    ) -> Finding:
        binds = any(each["bound"] for each in sight.forms if each["role"] == row["role"])
        return self.finding(
            sight.seen,
            in_database=str(row["database"]),
            subject=str(row["statement"]),
            object=Object("statement", name=str(row["statement"])),
            summary=summary,
            impact=IMPACT,
            remedy=Remedy(caution=BIND),
            severity=severity,
            confidence=confidence,
            count=self._different(row),
            limit_different=self.min_different,
            samples=sum(self._counted(row, "literal").values()),
            samples_bound=sum(self._counted(row, "bound").values()),
            role=str(row["role"]),
            role_binds_elsewhere=binds,
            applications=sorted(self._counted(row, "different")),
            classes=[str(kind) for kind in _tuple(row["kinds"])],
            query_id=_integer(row["query_id"]),
            **_text(sight.known(row)),
            **more,
        )


def _text(known: Row) -> Mapping[str, Scalar | Sequence[Scalar]]:
    """Give what people know a statement by: its tables, and its text without constants."""
    text = {"statement": str(known["text"])} if known.get("text") else {}
    return {"tables": table_names(known), **text} if known else {}


def _unread(statements: Measurement | None) -> tuple[str, Needs | None]:
    """Say why the statements cannot tell; "" when they can."""
    if statements is None:
        return "no statements were read", Needs.HISTORY
    return (statements.reason, statements.needs) if statements.result is not Result.OK else ("", None)


def _twins(statements: Measurement) -> Iterator[tuple[tuple[str, str, object], Mapping[int, float]]]:
    """Give for each query id, by database and role, the calls of the same statement's other ones."""
    for key, row in statements.details.items():
        if not isinstance(key, tuple) or key[0] != "statement":
            continue
        entries = [each for each in _tuple(row.get("twins")) if isinstance(each, tuple)]
        for role, query_id, _ in entries:
            others = {other: calls for who, other, calls in entries if who == role and other != query_id}
            yield (str(row["database"]), str(role), query_id), others


def _among(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name.lower(), glob.lower()) for glob in globs)


def _names(counts: Mapping[str, int]) -> str:
    return ", ".join(sorted(name for name in counts if name)[:3]) or "no application_name"


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
