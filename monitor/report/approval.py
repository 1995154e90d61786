"""The end of a review: what the verdict means, and who has to do what before it can be an approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.errors import Needs
from monitor.model import Area, Finding, Severity
from monitor.report import outline
from monitor.report.form import PARTS
from monitor.report.review import Review, Verdict
from monitor.report.wording import counted

MEANING = {
    Verdict.BLOCKED: "What is critical has to be mended first.",
    Verdict.CHANGES_REQUESTED: "Nothing is critical, but each warning wants an answer: mend it, or ignore it in the "
    "configuration with a reason.",
    Verdict.NOT_EVALUATED: "Nothing bad was seen, but not everything could be looked at: this is no approval.",
    Verdict.APPROVED: "Nothing has to happen.",
}
OWNERS = {
    Area.SCHEMA: "who changes the schema",
    Area.MIGRATION: "who changes the schema",
    Area.SECURITY: "who answers for security",
    Area.PERFORMANCE: "the developers of the application",
    Area.CAPACITY: "who runs the server",
    Area.OPERATIONS: "who runs the server",
    Area.AUTH: "who answers for sign-in (GoTrue)",
}
UNBLINDED = {
    Needs.RIGHTS: ("an administrator of the database", "give the rights that `monitor grants` prints"),
    Needs.EXTENSION: ("an administrator of the database", "install the extension that is missing"),
    Needs.SETTING: ("who runs the monitor", "add the setting that is missing"),
    Needs.TIME: ("who runs the monitor", "look again at a quieter hour, or allow the probe more time"),
    Needs.REPAIR: ("the makers of pgarchitect", "mend our own rule or probe: please report it"),
}
NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Who has to do what; `rules` are what it is about, each with how often."""

    who: str
    what: str
    rules: Sequence[str] = ()
    more: int = 0
    """How many rules are not named."""


def deeds(review: Review) -> list[Deed]:
    """Give what has to happen, the most pressing first; none for an approval."""
    return [
        *_mending(review, Severity.CRITICAL),
        *_reaching(review),
        *_mending(review, Severity.WARNING),
        *_seeing(review),
    ]


def _mending(review: Review, severity: Severity) -> Iterator[Deed]:
    for areas in PARTS.values():
        for who in dict.fromkeys(OWNERS[area] for area in areas):
            found = [each for each in review.findings if _is_for(each, who, areas) and each.severity is severity]
            if found:
                rules = Counter(finding.rule for finding in found)
                yield _deed(who, f"mend {outline.tally(found)}", rules)


def _is_for(finding: Finding, who: str, areas: Sequence[Area]) -> bool:
    return finding.area in areas and OWNERS[finding.area] == who


def _reaching(review: Review) -> Iterator[Deed]:
    down = [looked for looked in review.targets if not looked.up]
    if down:
        what = f"see that {counted(len(down), 'target', 'targets')} can be reached"
        yield _deed("who runs the server", what, Counter(str(looked.target) for looked in down))


def _seeing(review: Review) -> Iterator[Deed]:
    for needs, (who, what) in UNBLINDED.items():
        rules = {entry.rule for entry in review.not_evaluated if entry.needs is needs}
        if rules:
            yield _deed(who, what, Counter(sorted(rules)))


def _deed(who: str, what: str, about: Counter[str]) -> Deed:
    named = [name if count == 1 else f"{name} ({count:,} times)" for name, count in about.most_common(NAMED)]
    return Deed(who=who, what=what, rules=named, more=len(about) - len(named))
