"""What the rules about a link's structure share, and those about its foreign key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Confidence,
    Finding,
    Measurement,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    identifier,
    of_kind,
)
from probes.auth_judging import LOWER, schema_of, users_of
from probes.auth_sight import as_list
from probes.auth_structure_remedy import ACTIONS, enforced, keyed, rekeyed, validated
from probes.auth_structure_shape import Key, Shape


@dataclass(frozen=True, kw_only=True)
class StructureRule(Rule):
    """Judges each link by itself; a link that only a sample of its values shows is accused one step lower."""

    area: ClassVar[Area] = Area.AUTH

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each link that is built so."""
        shapes = [shape for row in of_kind(seen.rows, "link") if isinstance(shape := row["shape"], Shape)]
        if not shapes:
            yield NoVerdict(reason=f"no column is known to link to {users_of(seen)}", needs=None)
        for shape in shapes:
            yield from self.judged(seen, shape)

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Give what is wrong with one link."""
        raise NotImplementedError

    def accused(
        self,
        seen: Measurement,
        shape: Shape,
        summary: str,
        impact: str,
        remedy: Remedy,
        *,
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        **evidence: Scalar,
    ) -> Finding:
        """Accuse one link."""
        schema, table, column = shape.place
        severity = severity or self.severity
        return self.finding(
            seen,
            subject=shape.subject,
            object=Object("column", schema=schema, name=table, column=column),
            severity=LOWER[severity] if shape.sampled else severity,
            confidence=Confidence.MEDIUM if shape.sampled else confidence,
            summary=summary,
            impact=impact,
            remedy=remedy,
            origin=shape.origin.value,
            type=shape.type,
            **evidence,  # type: ignore[arg-type]  # none of them is a parameter's name
        )


@dataclass(frozen=True, kw_only=True)
class NoForeignKey(StructureRule):
    """A link to auth.users has no foreign key.

    Why: nothing keeps a row from outliving its user, or from naming one who never was. Every orphan begins so.
    What to do: mend the orphans there are, add the foreign key NOT VALID, then VALIDATE it. A row that is nothing
    without its user (a profile) goes with it (on delete cascade); one that may stay as a guest's loses the link (set
    null); where neither is plainly right, as with orders and payments, the rule prints no SQL: somebody must decide.
    When it is wrong: ids of deleted users are kept on purpose (an audit trail): name the column in auth.not_links. A
    column that refers to another table which in turn refers to auth.users is bound well enough.
    Cost: reads the catalogue; 80 ms every five minutes on 10,000 tables.
    """

    id: ClassVar[str] = "auth_links.no_foreign_key"
    severity: Severity = Severity.CRITICAL

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a column of which no chain of keys leads to auth.users."""
        idle = [key for key in shape.keys if key.reaches and not key.enforced]
        if shape.straight or (shape.bound and not idle) or shape.leaves_keyed:
            return
        users = users_of(seen)
        yield self.accused(
            seen,
            shape,
            f"the foreign key of {shape.subject} is NOT ENFORCED" if idle else f"{shape.subject} has no foreign key",
            f"nothing keeps its rows from outliving their user in {users}",
            enforced(shape, idle[0]) if idle else keyed(shape, users),
        )


@dataclass(frozen=True, kw_only=True)
class ForeignKeyNotValid(StructureRule):
    """A link's foreign key was never validated.

    Why: it was added NOT VALID: rows that were there before may belong to nobody, and nobody has checked.
    What to do: mend the orphans there are (auth_links.orphaned_profile), then VALIDATE CONSTRAINT.
    When it is wrong: while such a change is under way.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.foreign_key_not_valid"
    severity: Severity = Severity.WARNING

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a link all of whose foreign keys wait for validation."""
        keys = shape.straight
        if keys and not any(key.valid for key in keys):
            yield self.accused(
                seen,
                shape,
                f"{identifier(keys[0].name)} on {shape.subject} is NOT VALID",
                "rows that were there before it may belong to nobody",
                validated(shape, keys[0]),
                constraint=keys[0].name,
            )


@dataclass(frozen=True, kw_only=True)
class NoOnDelete(StructureRule):
    """A link's foreign key says nothing of what becomes of its rows when a user is deleted.

    Why: with no action, or restrict, deleting a user who has rows fails: in the dashboard, in the API, and when
    somebody asks for the deletion of their account.
    What to do: cascade, where the row is nothing without its user; set null, where it may stay as a guest's.
    When it is wrong: the table must outlive its user (orders, payments), and the application deletes or unlinks the
    rows first: ignore it. Of such tables, and where NULL is forbidden, the rule prints no SQL: somebody must decide.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.no_on_delete"
    severity: Severity = Severity.WARNING

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse the first key that forbids a deletion: one is enough to make it fail."""
        for key in [key for key in shape.straight if key.on_delete in "ar"][:1]:
            yield self.accused(
                seen,
                shape,
                f"{identifier(key.name)} on {shape.subject} is on delete {ACTIONS[key.on_delete]}",
                f"a user of {users_of(seen)} who has rows here cannot be deleted",
                rekeyed(shape, key, users_of(seen)),
                constraint=key.name,
                on_delete=ACTIONS[key.on_delete],
            )


@dataclass(frozen=True, kw_only=True)
class CascadeRisk(StructureRule):
    """Deleting a user deletes what looks like orders, payments or an audit trail.

    Why: on delete cascade removes the rows without a word, whoever deletes the user, by hand or by the API. What the
    law or a dispute asks for years later is gone.
    What to do: keep the row without its user (on delete set null), or forbid the deletion (on delete restrict) and
    anonymise the user instead.
    When it is wrong: the table is judged by its name alone; where its rows may go, ignore it.
    Cost: none beyond the probe's one query.
    """

    id: ClassVar[str] = "auth_links.cascade_risk"
    severity: Severity = Severity.INFO

    def judged(self, seen: Measurement, shape: Shape) -> Iterator[Finding]:
        """Accuse a cascade on a table of records."""
        cascades = [key for key in shape.straight if key.on_delete == "c"]
        if cascades and shape.of_record:
            yield self.accused(
                seen,
                shape,
                f"{identifier(cascades[0].name)} on {shape.subject} is on delete cascade",
                f"deleting a user of {users_of(seen)} deletes its rows of {shape.relation} without a word",
                Remedy(caution=_kept(shape, cascades[0])),
                confidence=Confidence.LOW,
                constraint=cascades[0].name,
            )


@dataclass(frozen=True, kw_only=True)
class NotPrimaryKey(StructureRule):
    """A foreign key into schema auth leans on another column than the primary key.

    Why: only the primary keys of schema auth are GoTrue's promise. Unique e-mails, phones and tokens change with its
    versions; a migration of GoTrue that drops their index then fails, and with it sign-ups.
    What to do: refer to auth.users (id), and read the other column by a join.
    When it is wrong: never; but only an upgrade of GoTrue makes it hurt.
    Cost: reads the foreign keys of the catalogue, with the probe's other questions.
    """

    id: ClassVar[str] = "auth_links.not_primary_key"
    severity: Severity = Severity.WARNING

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Accuse each such key."""
        told: dict[str, Row] = {}
        for row in of_kind(seen.rows, "foreign"):
            columns = tuple(map(str, as_list(row["columns"])))
            relation = identifier(str(row["schema"]), str(row["table"]))
            told.setdefault(f"{relation} ({', '.join(map(identifier, columns))})", row)
        for subject, row in told.items():
            yield self._accused(seen, subject, row)

    def _accused(self, seen: Measurement, subject: str, row: Row) -> Finding:
        schema, table, name = (str(row[part]) for part in ("schema", "table", "name"))
        columns = tuple(map(str, as_list(row["columns"])))
        parent = _list(identifier(schema_of(seen), str(row["parent"])), as_list(row["parent_columns"]))
        relation = identifier(schema, table)
        return self.finding(
            seen,
            subject=subject,
            object=Object("column", schema=schema, name=table, column=columns[0]),
            summary=f"{identifier(name)} on {relation} refers to {parent}, which is no primary key",
            impact="a migration of GoTrue that changes the unique index under it fails, or drops it",
            remedy=Remedy(
                caution=f"Give {relation} a uuid column that refers to {users_of(seen)} (id), fill it by the key that "
                f"is there, then: alter table {relation} drop constraint {identifier(name)}."
            ),
            constraint=name,
            parent=parent,
        )


def _kept(shape: Shape, key: Key) -> str:
    unlink = "nothing" if not shape.not_null else f"{shape.column} must allow NULL first"
    return (
        f"Somebody must decide whether rows of {shape.relation} may go with their user. To keep them: drop the "
        f"constraint {identifier(key.name)} and add it anew with on delete set null ({unlink} stands in the way), or "
        "with on delete restrict, NOT VALID; then VALIDATE CONSTRAINT."
    )


def _list(relation: str, columns: Sequence[object]) -> str:
    return f"{relation} ({', '.join(identifier(str(column)) for column in columns)})"
