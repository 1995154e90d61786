"""What the configuration tells us to ignore for good or until a day, and which of its entries still do something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase

from monitor.model import Finding, Judgement

EMPTY = '""'


@dataclass(frozen=True, kw_only=True)
class Ignore:
    """One entry of `ignore:`; globs, None means any. The whole day `until` is still ignored."""

    rule: str
    target: str | None = None
    database: str | None = None
    subject: str | None = None
    reason: str
    until: date | None = None

    def __post_init__(self) -> None:
        if not self.rule:
            raise ValueError("rule: empty; name the rule, or a glob of rules")
        if not self.reason.strip():
            raise ValueError("reason: empty; say why nobody needs to hear of it")

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding is meant, whatever the day. A finding about a whole server has the database ''."""
        return (
            fnmatchcase(finding.rule, self.rule)
            and _like(finding.target.server, self.target)
            and _like(finding.target.database or "", self.database)
            and _like(finding.subject, self.subject)
        )

    def __str__(self) -> str:
        """Give it as it is named in messages: `index.unused, target shop, subject public.audit_*`."""
        globs = (("target", self.target), ("database", self.database), ("subject", self.subject))
        return ", ".join((self.rule, *(f"{name} {glob or EMPTY}" for name, glob in globs if glob is not None)))

    def concerns(self, server: str) -> bool:
        """Tell whether findings about a server can be meant."""
        return _like(server, self.target)

    def over(self, today: date) -> bool:
        return self.until is not None and self.until < today


class Ignores:
    """The entries, and which of them have met a finding.

    `before`: those of the configuration before this one; of entries that stay as they are, what is known is kept.
    """

    def __init__(self, entries: Iterable[Ignore] = (), before: Ignores | None = None) -> None:
        self.entries = tuple(entries)
        same = set(self.entries)
        self.met: set[Ignore] = before.met & same if before else set()
        self.since: dict[Ignore, datetime] = {
            entry: at for entry, at in (before.since if before else {}).items() if entry in same
        }
        """Since when all that an entry may concern has been answering."""

    def ignored(self, finding: Finding, today: date) -> Ignore | None:
        """Give the first entry that lets a finding be ignored today. All that cover it are noted, expired ones too."""
        covering = [entry for entry in self.entries if entry.covers(finding)]
        self.met.update(covering)
        return next((entry for entry in covering if not entry.over(today)), None)

    def unused(self) -> list[Ignore]:
        """Give the entries that met no finding so far: fair to say once every probe has run."""
        return [entry for entry in self.entries if entry not in self.met]

    def tried(self, entry: Ignore, now: datetime, *, answered: bool) -> float:
        """Give the seconds since when all that an entry may concern answers; while it does not, they begin anew."""
        if not answered:
            self.since.pop(entry, None)
            return 0.0
        return max((now - self.since.setdefault(entry, now)).total_seconds(), 0.0)

    def expired(self, today: date) -> list[Ignore]:
        """Give the entries that ignore nothing any more."""
        return [entry for entry in self.entries if entry.over(today)]


def _like(text: str, glob: str | None) -> bool:
    return glob is None or fnmatchcase(text, glob)


def without_ignored(judgement: Judgement, ignores: Ignores, today: date) -> Judgement:
    """Give a judgement without the findings that are ignored today."""
    kept = [each for each in judgement.verdicts if not isinstance(each, Finding) or not ignores.ignored(each, today)]
    return judgement if len(kept) == len(judgement.verdicts) else replace(judgement, verdicts=tuple(kept))
