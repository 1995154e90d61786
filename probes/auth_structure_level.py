"""GoTrue's schema level: what it is, since when, and the rule that tells of a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    Area,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Severity,
    duration,
    identifier,
    number,
    of_kind,
)
from probes.auth_judging import schema_of


@dataclass(frozen=True, kw_only=True)
class Level:
    """The newest migration, where it can be read, and a fingerprint of the schema's tables and columns."""

    version: int | None
    digest: str

    def differs(self, other: Level) -> bool:
        """Tell whether GoTrue was migrated between the two; by versions where both are known."""
        if self.version is not None and other.version is not None:
            return self.version != other.version
        return self.digest != other.digest

    @property
    def words(self) -> str:
        """Name it for people."""
        return f"level {self.version}" if self.version is not None else "its tables and columns"


class Levels:
    """What is remembered of it: the level seen last, the one before, and when it changed."""

    def __init__(self) -> None:
        self.last: Level | None = None
        self.before: Level | None = None
        self.changed_at: float | None = None

    def take(self, now: Level, at: float) -> Row:
        """Enter a reading; give what the rule needs."""
        known = self.last is not None
        if self.last is not None and now.differs(self.last):
            self.before, self.changed_at = self.last, at
        version = now.version if now.version is not None else self._unchanged(now)
        self.last = Level(version=version, digest=now.digest)
        return {
            "kind": "level",
            "schema_level": now.version,
            "known": known,
            "now": now,
            "before": self.before,
            "since": None if self.changed_at is None else at - self.changed_at,
        }

    def _unchanged(self, now: Level) -> int | None:
        """Keep the version over a time without sight, while nothing else changed."""
        return self.last.version if self.last is not None and self.last.digest == now.digest else None

    def document(self) -> object:
        """Give what a restart must not forget."""
        if self.last is None:
            return None
        return {"last": _written(self.last), "before": _written(self.before), "changed_at": self.changed_at}

    def restore(self, document: object) -> None:
        """Take up what was kept; anything else is ignored."""
        if not isinstance(document, Mapping):
            return
        changed_at = document.get("changed_at")
        self.last, self.before = _level(document.get("last")), _level(document.get("before"))
        self.changed_at = float(changed_at) if isinstance(changed_at, int | float) else None


def _written(level: Level | None) -> object:
    return None if level is None else {"version": level.version, "digest": level.digest}


def _level(document: object) -> Level | None:
    if not isinstance(document, Mapping) or not isinstance(document.get("digest"), str):
        return None
    version = document.get("version")
    return Level(version=version if isinstance(version, int) else None, digest=str(document["digest"]))


@dataclass(frozen=True, kw_only=True)
class SchemaLevelChanged(Rule):
    """GoTrue changed the tables of its schema.

    Why: a new version of GoTrue was rolled out, or an old one back. Columns and tables come and go with it; what reads
    schema auth, and what hangs on it (triggers, policies, foreign keys), should be looked at.
    What to do: nothing, when the upgrade was meant; else find out who migrated.
    When it is wrong: where the monitor's role cannot read the version (monitor grants --auth functions lends it), a
    column that somebody adds to schema auth by hand looks the same. It is told for `shown` seconds.
    Cost: reads one small table, and the catalogue of schema auth.
    """

    id: ClassVar[str] = "auth.schema_level_changed"
    area: ClassVar[Area] = Area.AUTH
    severity: Severity = Severity.INFO
    shown: float = 6 * 3600.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        """Tell of a change for some hours."""
        for row in of_kind(seen.rows, "level"):
            now, before = row["now"], row["before"]
            if not row["known"]:
                yield NoVerdict(reason="a change shows from the second reading on", needs=Needs.HISTORY)
            if not isinstance(now, Level) or not isinstance(before, Level) or number(row, "since") > self.shown:
                continue
            schema = schema_of(seen)
            yield self.finding(
                seen,
                subject=identifier(schema, "schema_migrations"),
                object=Object("table", schema=schema, name="schema_migrations"),
                summary=_told(now, before, number(row, "since")),
                impact="what reads schema auth, or hangs on it, may no longer fit",
                remedy=Remedy(caution="If nobody planned an upgrade of GoTrue, find out who migrated its schema."),
                level=now.version,
                level_before=before.version,
                since_seconds=round(number(row, "since")),
            )


def _told(now: Level, before: Level, since: float) -> str:
    ago = f"within the last {duration(max(since, 1))}" if since else "just now"
    if now.version is None or before.version is None:
        return f"tables or columns of GoTrue's schema changed {ago}"
    return f"GoTrue's schema went from level {before.version} to level {now.version} {ago}"
