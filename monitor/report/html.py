"""A review as one HTML file to open, send and print: nothing is loaded, and thousands of findings stay readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.draw.evidence import Told, told
from monitor.draw.paper import paper
from monitor.model import Alert, Finding, Severity, State
from monitor.report import approval, form, outline
from monitor.report.form import Item, Mark
from monitor.report.listing import Listing, listings
from monitor.report.review import Known, Review, Verdict
from monitor.report.wording import NAMES_SHOWN, SEVERITY_WORDS, counted, enumerated, figures, script, shown_sql
from monitor.rule import HEADINGS

WHOLE_BUDGET, BRIEF_BUDGET = 2_800_000, 1_200_000
"""Characters that findings may take which are shown whole, and those that are only named."""
WHOLE_COST, FIGURE_COST, BRIEF_COST = 900, 60, 200
"""Characters of markup around one finding, one figure of it, one that is only named."""
OPENED = 10
"""The worst stand open."""
OVERVIEW_FROM = 20
"""From so many findings on, their rules are listed at the head."""
TARGETS_SHOWN = 400

TONES = {
    Verdict.BLOCKED: "critical",
    Verdict.CHANGES_REQUESTED: "warning",
    Verdict.NOT_EVALUATED: "unknown",
    Verdict.APPROVED: "up",
}
MARK_TONES = {Mark.PASSED: "ok", Mark.FAILED: "critical", Mark.UNKNOWN: "unknown", Mark.IDLE: "idle"}


def as_html(review: Review) -> str:
    """Give the file's text."""
    folders, items, lists = _folders(review), form.checklist(review), list(listings(review))
    return paper(
        "report.html",
        headline=outline.headline(review),
        tone=TONES[review.verdict],
        meaning=approval.MEANING[review.verdict],
        occasion=outline.occasion(review),
        deeds=approval.deeds(review),
        claims=form.parts(review),
        places=outline.places(review),
        ignored=outline.ignored(review),
        contents=list(_contents(review, lists)),
        tally=outline.tally(review.findings),
        rules_found=_rules_found(folders) if len(review.findings) >= OVERVIEW_FROM else [],
        folders=folders,
        gaps=outline.gaps(review),
        blind=len({entry.rule for entry in review.not_evaluated}),
        lists=lists,
        items=[_line(item) for item in items],
        idle=outline.not_applicable(review),
        targets=review.targets[:TARGETS_SHOWN],
        targets_more=max(0, len(review.targets) - TARGETS_SHOWN),
        manuals=_manuals(review),
        generated_at=review.generated_at,
    )


def _contents(review: Review, lists: Sequence[Listing]) -> Iterator[tuple[str, str]]:
    yield "checked", "What was checked"
    if review.findings:
        yield "findings", f"Findings ({len(review.findings):,})"
    if review.not_evaluated:
        yield "not-evaluated", f"Not evaluated ({len({entry.rule for entry in review.not_evaluated}):,})"
    yield from ((each.anchor, each.title) for each in lists)
    yield from (("checklist", "Checklist"), ("targets", "Targets"))
    if review.findings and review.checked:
        yield "rules", "Rules"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One finding that is shown whole."""

    finding: Finding
    figures: Sequence[tuple[str, str]]
    mend: str
    undo: str
    standing: str
    trend: Told | None
    """Its number over time, where a daemon kept it."""
    explained: bool
    open: bool


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The findings of one severity: shown whole, only named, and only counted."""

    severity: Severity
    title: str
    found: Sequence[Finding]
    whole: Sequence[Sheet]
    brief: Sequence[Finding]

    @property
    def more(self) -> int:
        """How many are only counted."""
        return len(self.found) - len(self.whole) - len(self.brief)


class _Purse:
    """Characters that may still be spent; once something was too dear, nothing more is bought."""

    def __init__(self, budget: int) -> None:
        self._left = budget

    def pays(self, cost: int) -> bool:
        self._left = self._left - cost if cost <= self._left else -1
        return self._left >= 0


def _folders(review: Review) -> list[Folder]:
    explained = {rule.judge.id for rule in review.checked}
    whole, brief = _Purse(WHOLE_BUDGET), _Purse(BRIEF_BUDGET)
    folders: list[Folder] = []
    for severity in outline.WORST_FIRST:
        found = [finding for finding in review.findings if finding.severity is severity]
        shown = [each for each in found if whole.pays(_cost(each))]
        named = [each for each in found[len(shown) :] if brief.pays(BRIEF_COST + _length(each.title, each.subject))]
        if found:
            opened = OPENED - sum(len(folder.found) for folder in folders)
            folders.append(
                Folder(
                    severity=severity,
                    title=f"{SEVERITY_WORDS[severity][1].capitalize()}: {len(found):,}",
                    found=found,
                    whole=[_sheet(each, review, explained, opened=at < opened) for at, each in enumerate(shown)],
                    brief=named,
                )
            )
    return folders


def _cost(finding: Finding) -> int:
    mend = finding.remedy
    told = (finding.title, finding.subject, finding.summary, finding.impact, mend.caution, *mend.sql, *mend.rollback)
    seen = sum(FIGURE_COST + _length(name, str(value)) for name, value in finding.evidence.items())
    return WHOLE_COST + _length(*told) + seen


def _length(*texts: str) -> int:
    """Give the bytes that texts may take; an escaped quote takes five."""
    return sum(len(text.encode(errors="replace")) + 4 * sum(map(text.count, "<>&'\"")) for text in texts)


def _sheet(finding: Finding, review: Review, explained: set[str], *, opened: bool) -> Sheet:
    known = review.known.get(finding.fingerprint)
    return Sheet(
        finding=finding,
        figures=figures(finding.evidence),
        mend="\n".join(map(shown_sql, script(finding.remedy.sql))),
        undo="\n".join(map(shown_sql, script(finding.remedy.rollback))),
        standing=outline.standing(known) if known else "",
        trend=_trend(finding, known, review) if known else None,
        explained=finding.rule in explained,
        open=opened,
    )


def _trend(finding: Finding, known: Known, review: Review) -> Told | None:
    """Draw the number of a finding as its own page does."""
    course = review.traced.findings.get(finding.fingerprint)
    if course is None:
        return None
    alert = Alert(
        finding=finding,
        source=finding.target,
        state=State.FIRING,
        starts_at=known.since,
        fired_at=known.since,
        last_seen=review.generated_at,
    )
    return told(alert, course, review.generated_at)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One rule in the list at the head of the findings."""

    rule: str
    title: str
    severity: Severity
    count: int
    anchor: str


def _rules_found(folders: Sequence[Folder]) -> list[Found]:
    found: list[Found] = []
    for folder in folders:
        by_rule: dict[str, list[Finding]] = {}
        for finding in folder.found:
            by_rule.setdefault(finding.rule, []).append(finding)
        shown = {sheet.finding.fingerprint for sheet in folder.whole} | {each.fingerprint for each in folder.brief}
        found += [_found(folder.severity, findings, shown) for findings in by_rule.values()]
    return found


def _found(severity: Severity, findings: Sequence[Finding], shown: set[str]) -> Found:
    first = findings[0]
    anchor = next((f"f-{each.fingerprint}" for each in findings if each.fingerprint in shown), "")
    return Found(rule=first.rule, title=first.title, severity=severity, count=len(findings), anchor=anchor)


def _line(item: Item) -> Mapping[str, str]:
    words = [f"{counted(item.passed, 'rule', 'rules')} passed"] if item.passed else []
    for title, names in form.told(item):
        words.append(f"{title}: {enumerated(names, NAMES_SHOWN)}")
    return {
        "family": item.family,
        "part": item.part,
        "mark": item.mark.value,
        "tone": MARK_TONES[item.mark],
        "words": "; ".join(words),
    }


def _manuals(review: Review) -> list[Mapping[str, object]]:
    """Give the manual pages of the rules that found something."""
    found = {finding.rule for finding in review.findings}
    pages = [(rule.judge.id, rule.judge.manual()) for rule in review.checked if rule.judge.id in found]
    return [
        {
            "rule": rule,
            "fault": manual["fault"],
            "chapters": [(heading, manual[heading]) for heading in HEADINGS if manual.get(heading)],
        }
        for rule, manual in pages
    ]
