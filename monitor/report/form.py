"""The architect's form: which part of the review an area belongs to, and what each part may claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.errors import Needs
from monitor.model import Area, Finding, Severity
from monitor.report import outline
from monitor.report.review import Checked, Review
from monitor.report.wording import counted
from monitor.status import NotEvaluated

PARTS: Mapping[str, tuple[Area, ...]] = {
    "Schema changes": (Area.SCHEMA, Area.MIGRATION),
    "Security validation": (Area.SECURITY,),
    "Performance impact": (Area.PERFORMANCE, Area.CAPACITY, Area.OPERATIONS),
    "GoTrue integration": (Area.AUTH,),
}
PART_OF = {area: title for title, areas in PARTS.items() for area in areas}
FEW = 3
"""Up to so many rules are named."""
NOT_ASKED = "Nothing was evaluated: no rule of this part was asked."


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the form: its findings, worst first, and one sentence on what was evaluated."""

    title: str
    claim: str
    findings: Sequence[Finding]


def parts(review: Review) -> list[Part]:
    """Give the four parts that hold findings, in the architect's order."""
    return [_part(review, title, areas) for title, areas in PARTS.items()]


def _part(review: Review, title: str, areas: Sequence[Area]) -> Part:
    findings = [finding for finding in review.findings if finding.area in areas]
    rules = [rule for rule in review.checked if rule.judge.area in areas]
    return Part(
        title=title,
        claim=_claim(review, rules, findings),
        findings=sorted(findings, key=lambda finding: -finding.severity.rank),
    )


def _claim(review: Review, rules: Sequence[Checked], findings: Sequence[Finding]) -> str:
    """Say how many rules looked and what came of it; never more than was looked at."""
    found = outline.tally(findings)
    if not review.checked:
        return f"{found}." if found else "Nothing was found; how many rules looked was not counted."
    if not rules and not found:
        return NOT_ASKED
    spoke = sum(rule.answered > 0 for rule in rules)
    if not spoke and not found:
        return f"Nothing was evaluated: {_why_not(review, rules)}."
    looked = f"{counted(spoke, 'rule', 'rules')} looked" + (f" ({_few(rules)})" if 0 < spoke <= FEW else "")
    return "; ".join((f"{looked}: {found or 'nothing was found'}", *_limits(review, rules))) + "."


def _few(rules: Sequence[Checked]) -> str:
    """Name them, so that a look of two rules is not taken for a whole one."""
    return ", ".join(rule.judge.id for rule in rules if rule.answered)


def _why_not(review: Review, rules: Sequence[Checked]) -> str:
    blind = unsaid(review)
    mute = sum(rule.judge.id in blind for rule in rules)
    if mute:
        return f"{counted(mute, 'rule', 'rules')} of this part could not say"
    if not all(looked.up for looked in review.targets):
        return "not every target was reached"
    return f"what its {counted(len(rules), 'rule judges', 'rules judge')} is not there"


def _limits(review: Review, rules: Sequence[Checked]) -> Iterator[str]:
    blind, idle = unsaid(review), sum(not rule.answered and rule.idle > 0 for rule in rules)
    mute = [blind[rule.judge.id] for rule in rules if rule.judge.id in blind]
    waiting = sum(all(entry.needs is Needs.HISTORY for entry in entries) for entries in mute)
    ignored = sum(rule.ignored for rule in rules)
    if len(mute) > waiting:
        yield f"{counted(len(mute) - waiting, 'rule', 'rules')} could not say, or not of everything"
    if waiting:
        yield counted(waiting, "rule waits for history", "rules wait for history")
    if idle:
        yield counted(idle, "rule does not apply", "rules do not apply")
    if not all(looked.up for looked in review.targets):
        yield "not every target was reached"
    if ignored:
        yield f"{counted(ignored, 'finding is', 'findings are')} ignored by the configuration"


def unsaid(review: Review) -> dict[str, list[NotEvaluated]]:
    """Give what was not evaluated, by rule."""
    by_rule: dict[str, list[NotEvaluated]] = {}
    for entry in review.not_evaluated:
        by_rule.setdefault(entry.rule, []).append(entry)
    return by_rule


class Mark(StrEnum):
    """What becomes of an item of the checklist."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "not evaluated"
    IDLE = "does not apply"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One family of rules on the checklist (`statements`), and the rules of each kind by name."""

    family: str
    part: str
    mark: Mark
    passed: int
    failed: Sequence[str] = ()
    remarks: Sequence[str] = ()
    unknown: Sequence[str] = ()
    waiting: Sequence[str] = ()
    ignored: Sequence[str] = ()


def told(item: Item) -> list[tuple[str, Sequence[str]]]:
    """Give what an item says beside what passed: a word, and the rules it is about."""
    words = {
        "failed": item.failed,
        "remarks": item.remarks,
        "not evaluated": item.unknown,
        "waits for history": item.waiting,
        "findings ignored": item.ignored,
    }
    return [(word, names) for word, names in words.items() if names]


def checklist(review: Review) -> list[Item]:
    """Give the families that were asked in the form's order; only what answered everywhere and was well is passed."""
    order = list(PARTS)
    families: dict[tuple[int, str], list[Checked]] = {}
    for rule in review.checked:
        key = order.index(PART_OF[rule.judge.area]), rule.judge.id.partition(".")[0]
        families.setdefault(key, []).append(rule)
    sight = _Sight.of(review)
    return [sight.item(order[place], family, rules) for (place, family), rules in sorted(families.items())]


@dataclass(frozen=True, kw_only=True)
class _Sight:
    """What a review says by rule."""

    failed: frozenset[str]
    remarked: frozenset[str]
    blind: Mapping[str, Sequence[NotEvaluated]]
    complete: bool
    """Whether every target was reached."""

    @classmethod
    def of(cls, review: Review) -> _Sight:
        failed = frozenset(each.rule for each in review.findings if each.severity is not Severity.INFO)
        return cls(
            failed=failed,
            remarked=frozenset(each.rule for each in review.findings) - failed,
            blind=unsaid(review),
            complete=all(looked.up for looked in review.targets),
        )

    def item(self, part: str, family: str, rules: Sequence[Checked]) -> Item:
        names = [rule.judge.id for rule in rules]
        failed = [name for name in names if name in self.failed]
        unknown = [rule.judge.id for rule in rules if self._unknown(rule)]
        waiting = [name for name in names if self._needs(name) == {Needs.HISTORY}]
        told = [rule.judge.id for rule in rules if rule.answered and rule.judge.id not in (*unknown, *waiting)]
        remarks, ignored = [name for name in names if name in self.remarked], [r.judge.id for r in rules if r.ignored]
        return Item(
            family=family,
            part=part,
            mark=_mark(failed, [*unknown, *(waiting if not told else ())], told),
            passed=len({*told} - {*failed, *remarks, *ignored}),
            failed=failed,
            remarks=remarks,
            unknown=[name for name in unknown if name not in failed],
            waiting=waiting,
            ignored=ignored,
        )

    def _unknown(self, rule: Checked) -> bool:
        """Tell whether it could not say, or nobody heard it because a target was not reached."""
        needs = self._needs(rule.judge.id)
        unheard = not self.complete and not (rule.answered or rule.idle or needs)
        return unheard or bool(needs - {Needs.HISTORY})

    def _needs(self, rule: str) -> set[Needs]:
        return {entry.needs for entry in self.blind.get(rule, ())}


def _mark(failed: Sequence[str], unknown: Sequence[str], told: Sequence[str]) -> Mark:
    if failed:
        return Mark.FAILED
    if unknown:
        return Mark.UNKNOWN
    return Mark.PASSED if told else Mark.IDLE
