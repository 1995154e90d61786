"""The order of a report and what belongs together in it; text and Markdown differ only in how they print this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import monitor
from monitor.errors import Needs
from monitor.kinds import NAMES
from monitor.measurement import duration
from monitor.model import Area, Finding, Result, Severity
from monitor.report.review import Known, LookedAt, Review
from monitor.report.wording import NEEDED, SEVERITY_WORDS, counted, cut, enumerated, figure, minute, ordinal
from monitor.status import NotEvaluated, ProbeStatus

ROWS_SHOWN = 5
NAMED = 3
"""How many unreachable targets the headline names."""
PLACES = ("target", "database")
"""Columns that say nothing where all rows agree."""
FIRST = (*PLACES, "statement", "calls", "mean_ms", "total_seconds", "share", "text")
"""Columns that matter most, where a table has them; a narrow page shows only these."""
WORST_FIRST = tuple(sorted(Severity, key=lambda severity: -severity.rank))


def headline(review: Review) -> str:
    """Give the verdict and its counts in one line; it never claims more than was looked at."""
    return f"{review.verdict}: " + "; ".join((_found(review), *_unknown(review)))


def _found(review: Review) -> str:
    counts = Counter(finding.severity for finding in review.findings)
    words = [counted(counts[severity], *SEVERITY_WORDS[severity]) for severity in WORST_FIRST if counts[severity]]
    if words:
        return ", ".join(words)
    asked = sum(status.result is Result.OK for looked in review.targets for status in looked.probes)
    nothing = "nothing was found that is not ignored" if review.ignored else "nothing was found"
    return f"{counted(asked, 'probe', 'probes')} answered and {nothing}" if asked else "nothing was seen"


def _unknown(review: Review) -> Iterator[str]:
    blind = {entry.rule for entry in review.not_evaluated if entry.needs is not Needs.HISTORY}
    waiting = {entry.rule for entry in review.not_evaluated} - blind
    down = [str(looked.target) for looked in review.targets if not looked.up]
    if down:
        yield f"{enumerated(down, NAMED)} not reached"
    if blind:
        yield f"{counted(len(blind), 'rule', 'rules')} not evaluated"
    if waiting:
        yield f"{counted(len(waiting), 'rule waits', 'rules wait')} for history"


def occasion(review: Review) -> str:
    """Say who looked, when, and over which time the counters were watched."""
    at = review.generated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"pgarchitect {monitor.__version__}, {at}; {window(review.window_seconds)}"


def window(seconds: float) -> str:
    """Say over which time the counters were watched."""
    if seconds <= 0:
        return "counters are lifetime totals (window 0)"
    return f"counters watched for {duration(seconds)}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One server as it was looked at, all its databases together."""

    server: str
    up: bool
    reason: str
    version: str
    """What it is, and of which version, as people say it."""
    labels: Mapping[str, str]
    databases: Sequence[str]
    asked: Sequence[str]
    """Probes that answered at least once."""
    troubles: Sequence[str]
    """What was not reached or not asked, with the reason."""


def places(review: Review) -> list[Place]:
    """Put the databases of each server together, servers in the review's order."""
    servers = dict.fromkeys(looked.target.server for looked in review.targets)
    return [_place(server, [seen for seen in review.targets if seen.target.server == server]) for server in servers]


def _place(server: str, parts: Sequence[LookedAt]) -> Place:
    reached = [part for part in parts if part.up]
    statuses = [status for part in parts for status in part.probes]
    version = next((part.server_version for part in parts if part.server_version), "")
    return Place(
        server=server,
        up=bool(reached),
        reason=next((part.reason for part in parts if not part.up), ""),
        version=f"{NAMES.get(parts[0].kind, parts[0].kind)} {version}".rstrip(),
        labels=parts[0].labels,
        databases=[part.target.database for part in reached if part.target.database is not None],
        asked=sorted({status.probe for status in statuses if status.result is Result.OK}),
        troubles=[*_unreached(parts), *_unanswered(statuses)] if reached else [],
    )


def _unreached(parts: Sequence[LookedAt]) -> Iterator[str]:
    for part in parts:
        if not part.up:
            yield f"{cut(str(part.target))} not reached: {cut(part.reason)}"


def _unanswered(statuses: Sequence[ProbeStatus]) -> Iterator[str]:
    """Say which probes had no answer and why, those of one reason together; what there is nothing of needs none."""
    probes_of: dict[tuple[Result, str], list[ProbeStatus]] = {}
    for status in statuses:
        idle = status.result is Result.SKIPPED and status.needs is None
        if status.result not in (Result.OK, Result.UNREACHABLE) and not idle:
            probes_of.setdefault((status.result, status.reason), []).append(status)
    for (result, reason), asked in probes_of.items():
        names = dict.fromkeys(status.probe for status in asked)
        where = dict.fromkeys(str(status.target) for status in asked)
        yield f"{enumerated(names)} {result} in {enumerated(where)}: {cut(reason)}"


def chapters(review: Review) -> list[tuple[Area, list[Finding]]]:
    """Group findings by area, the area with the worst one first, the worst first in each."""
    by_area: dict[Area, list[Finding]] = {}
    for finding in sorted(review.findings, key=lambda finding: -finding.severity.rank):
        by_area.setdefault(finding.area, []).append(finding)
    return sorted(by_area.items(), key=lambda chapter: (-chapter[1][0].severity.rank, list(Area).index(chapter[0])))


def tally(findings: Sequence[Finding]) -> str:
    """Count findings by severity, worst first: `1 critical, 2 warnings`."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(counted(counts[one], *SEVERITY_WORDS[one]) for one in WORST_FIRST if counts[one])


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Rules that could not say, all for one reason; each line names rules and where."""

    needs: str
    reason: str
    lines: Sequence[str]


def gaps(review: Review) -> list[Gap]:
    """Group what was not evaluated by its reason; what only waits for history comes last."""
    by_reason: dict[tuple[Needs, str], list[NotEvaluated]] = {}
    for entry in sorted(review.not_evaluated, key=lambda entry: entry.needs is Needs.HISTORY):
        by_reason.setdefault((entry.needs, entry.reason), []).append(entry)
    return [
        Gap(needs=NEEDED[needs], reason=reason, lines=_blind(entries)) for (needs, reason), entries in by_reason.items()
    ]


def _blind(entries: Sequence[NotEvaluated]) -> list[str]:
    places_of: dict[str, dict[str, None]] = {}
    for entry in entries:
        rule = entry.rule if entry.subject is None else f"{entry.rule} ({entry.subject})"
        places_of.setdefault(rule, {})[str(entry.target)] = None
    rules_of: dict[tuple[str, ...], list[str]] = {}
    for rule, where in places_of.items():
        rules_of.setdefault(tuple(where), []).append(rule)
    return [f"{enumerated(rules)} in {enumerated(where)}" for where, rules in rules_of.items()]


def not_applicable(review: Review) -> int:
    """Count the rules whose subject does not exist where they looked."""
    return sum(looked.not_applicable for looked in review.targets)


def ignored(review: Review) -> str:
    """Say how many findings are left out because the configuration says so; "" for none."""
    if not review.ignored:
        return ""
    return f"{counted(review.ignored, 'finding is', 'findings are')} ignored by the configuration"


def standing(known: Known) -> str:
    """Say what the ledger knows of a finding: `since 2026-11-20 14:02 UTC, 3rd time; acknowledged by ann`."""
    parts = [f"since {minute(known.since)}" + (f", {ordinal(known.occurrences)} time" if known.occurrences > 1 else "")]
    if known.acked is not None:
        parts.append(f"acknowledged by {known.acked.author}: {known.acked.comment}")
    if known.silenced is not None:
        quiet = known.silenced
        parts.append(f"silenced by {quiet.author} until {minute(quiet.until)}: {quiet.comment}")
    return cut("; ".join(parts))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A small table: the first rows of statements, pools or tables, written for people."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[bool]
    """Which columns hold numbers."""
    more: int = field(default=0)
    """How many rows are left out."""


def grids(review: Review, most: int = ROWS_SHOWN) -> Iterator[Grid]:
    """Give the tables that have rows, with the first of these."""
    for title, rows in (
        ("Busiest statements", review.statements),
        ("Connections", review.pools),
        ("Largest tables", review.tables),
    ):
        if rows:
            yield _grid(title, rows, most)


def _grid(title: str, rows: Sequence[Mapping[str, object]], most: int) -> Grid:
    top = rows[:most]
    there = {key: None for row in top for key in row}
    keys = [key for key in (*(key for key in FIRST if key in there), *there) if _worth_showing(key, top)]
    keys = list(dict.fromkeys(keys))
    return Grid(
        title=title,
        header=[figure(key, None)[0] for key in keys],
        rows=[[_cell(key, row.get(key)) for key in keys] for row in top],
        right=[all(isinstance(row.get(key), int | float | None) for row in top) for key in keys],
        more=len(rows) - len(top),
    )


def _worth_showing(key: str, rows: Sequence[Mapping[str, object]]) -> bool:
    values = [row.get(key) for row in rows]
    if key in PLACES:
        return any(value != values[0] for value in values)
    return any(value is not None and not isinstance(value, Mapping) for value in values)


def _cell(key: str, value: object) -> str:
    if isinstance(value, str):
        return cut(" ".join(value.split()))
    return "" if value is None else figure(key, value)[1]
