"""What the configuration tells us to ignore for good or until a day, and which of its entries still do something."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from monitor.model import Finding, Judgement


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

    def over(self, today: date) -> bool:
        return self.until is not None and self.until < today


class Ignores:
    """The entries, and which of them have met a finding since they were read."""

    def __init__(self, entries: Iterable[Ignore] = ()) -> None:
        self.entries = tuple(entries)
        self._met: set[int] = set()

    def ignored(self, finding: Finding, today: date) -> Ignore | None:
        """Give the first entry that lets a finding be ignored today. All that cover it are noted, expired ones too."""
        covering = [place for place, entry in enumerate(self.entries) if entry.covers(finding)]
        self._met.update(covering)
        return next((self.entries[place] for place in covering if not self.entries[place].over(today)), None)

    def unused(self) -> list[Ignore]:
        """Give the entries that met no finding so far: fair to say once every probe has run."""
        return [entry for place, entry in enumerate(self.entries) if place not in self._met]

    def expired(self, today: date) -> list[Ignore]:
        """Give the entries that ignore nothing any more."""
        return [entry for entry in self.entries if entry.over(today)]


def _like(text: str, glob: str | None) -> bool:
    return glob is None or fnmatchcase(text, glob)


def without_ignored(judgement: Judgement, ignores: Ignores, today: date) -> Judgement:
    """Give a judgement without the findings that are ignored today."""
    kept = [each for each in judgement.verdicts if not isinstance(each, Finding) or not ignores.ignored(each, today)]
    return judgement if len(kept) == len(judgement.verdicts) else replace(judgement, verdicts=tuple(kept))
