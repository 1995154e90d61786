"""A review in Markdown, in the architect's form, no longer than a comment on GitHub may be.

What comes from a database is escaped or in a code span.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from monitor.model import Confidence, Finding
from monitor.report import approval, fitting, form, outline
from monitor.report.fitting import Piece
from monitor.report.form import Item, Mark
from monitor.report.review import Known, Review, Verdict
from monitor.report.wording import NAMES_SHOWN, SUBJECT_SHOWN, counted, cut, figures, safe, script, shown_sql

SPECIAL = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]|^\d+(?=[.)](\s|$))")
LIVE = re.compile(r"[&<>@]|://|www\.|#(?=\d)", re.IGNORECASE)
"""What HTML obeys, and what GitHub makes a link, a mention or an issue of."""
NO_SPACE = "&#8203;"
TAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": f"@{NO_SPACE}", "#": f"#{NO_SPACE}", "://": "&#58;//"}
LEAST_FENCE = 3
BOLD = {"failed", "not evaluated"}
ELSEWHERE = "`--format html` has room for thousands, `--format json` for all"
DATABASES = 50
"""Databases of a server that are named."""
MEASURED = "Performance impact"
"""The part that the tables of statements, connections and tables belong to."""


def as_markdown(review: Review) -> str:
    """Give the report, the verdict as its title; of more findings than fit the worst."""
    written = {id(each): [*_finding(each, review.known.get(each.fingerprint))] for each in review.findings}
    lines = [*_lines(review, written)]
    if fitting.length(lines) > fitting.MOST:
        room = fitting.MOST - fitting.length(_lines(review, {}))
        shown = fitting.worst(review.findings, room, lambda each: written[id(each)])
        lines = [*_lines(review, {id(each): written[id(each)] for each in shown})]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Make a text mean only itself in Markdown and HTML, on one line."""
    plain = SPECIAL.sub(_escaped, safe(text).strip())
    return LIVE.sub(lambda found: TAMED.get(found[0]) or f"{found[0][:-1]}&#46;", plain)


def _escaped(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def code(text: str) -> str:
    """Put a text into a code span that it cannot leave."""
    inside = safe(text) or " "
    ticks = "`" * (_longest_run(inside) + 1)
    pad = " " if inside.startswith("`") or inside.endswith("`") else ""
    return f"{ticks}{pad}{inside}{pad}{ticks}"


def fenced(sql: str) -> list[str]:
    """Put SQL into a fence longer than any run of backticks inside."""
    fence = "`" * max(LEAST_FENCE, _longest_run(sql) + 1)
    return [f"{fence}sql", *sql.split("\n"), fence]


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _lines(review: Review, shown: Mapping[int, Piece]) -> Iterator[str]:
    """Give the lines; `shown` are the findings that are told, by identity."""
    yield f"# {escape(outline.headline(review))}"
    yield ""
    yield escape(outline.occasion(review))
    if len(shown) < len(review.findings):
        yield from ("", f"Shown here: the worst {len(shown):,} of {len(review.findings):,} findings; {ELSEWHERE}.")
    yield from _places(review)
    for part in form.parts(review):
        yield from ("", f"## {part.title}", "", escape(part.claim))
        yield from (line for finding in part.findings for line in shown.get(id(finding), ()))
        left = [finding for finding in part.findings if id(finding) not in shown]
        if left:
            yield from ("", f"Left out here: {outline.tally(left)} ({_rules(left)}); {ELSEWHERE}.")
        if part.title == MEASURED:
            for grid in outline.grids(review):
                yield from _grid(grid)
    yield from _checklist(review)
    yield from _gaps(review)
    yield from _approval(review)


def _rules(findings: Sequence[Finding]) -> str:
    """Name the rules of findings with how many each has, the one with most first."""
    counts = Counter(finding.rule for finding in findings).most_common()
    named = [f"{code(cut(rule))} {count:,} times" if count > 1 else code(cut(rule)) for rule, count in counts]
    more = len(named) - NAMES_SHOWN
    return ", ".join(named[:NAMES_SHOWN]) + (f" and {counted(more, 'more rule', 'more rules')}" if more > 0 else "")


def _checklist(review: Review) -> Iterator[str]:
    yield from ("", "## Testing validation checklist", "")
    yield from fitting.first(([_reached(place)] for place in _ailing_first(review)), fitting.REACHED, _others)
    items = form.checklist(review)
    yield from (_item(item) for item in items if item.mark is not Mark.IDLE)
    idle = [item.family for item in items if item.mark is Mark.IDLE]
    if not items:
        yield "- [ ] rules: **not evaluated**: how many looked was not counted"
    if idle:
        yield from ("", f"Does not apply: {_names(idle)}")
    if review.ignored:
        yield from ("", outline.ignored(review))


def _reached(place: outline.Place) -> str:
    if place.up and not place.troubles:
        return f"- [x] {code(cut(place.server))} was reached, and every probe answered"
    if place.up:
        return f"- [ ] {code(cut(place.server))} was reached, but **not evaluated** in part: see above"
    return f"- [ ] {code(cut(place.server))}: **not evaluated**: not reached"


def _item(item: Item) -> str:
    words = [f"{counted(item.passed, 'rule', 'rules')} passed"] if item.passed else []
    for word, names in form.told(item):
        title = f"**{word}**" if word in BOLD else word
        words.append(f"{title}: {_listed(names)}")
    tick = "x" if item.mark is Mark.PASSED else " "
    return f"- [{tick}] {code(item.family)} ({item.part}): " + "; ".join(words)


def _listed(names: Sequence[str], most: int = NAMES_SHOWN) -> str:
    more = len(names) - most
    return _names(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _approval(review: Review) -> Iterator[str]:
    yield from ("", "## Review approval", "")
    tick = "x" if review.verdict is Verdict.APPROVED else " "
    yield f"- [{tick}] **{review.verdict}**: {approval.MEANING[review.verdict]}"
    deeds = approval.deeds(review)
    if deeds:
        yield from ("", "| who | what has to happen |", "| --- | --- |")
    for deed in deeds:
        about = ", ".join(escape(cut(name, SUBJECT_SHOWN)) for name in deed.rules)
        yield f"| {deed.who} | {deed.what}: {about}" + (f" and {deed.more:,} more |" if deed.more else " |")


def _names(names: Sequence[str]) -> str:
    return ", ".join(code(cut(name)) for name in names)


def _places(review: Review) -> Iterator[str]:
    yield from ("", "## Looked at", "")
    yield from fitting.first(map(_place, _ailing_first(review)), fitting.PLACES, _others)


def _ailing_first(review: Review) -> list[outline.Place]:
    """Give the servers; of more than fit those first that could not be seen, or not whole."""
    places = outline.places(review)
    if sum(fitting.length(_place(place)) for place in places) <= fitting.PLACES:
        return places
    return sorted(places, key=lambda place: (place.up, not place.troubles))


def _others(count: int) -> str:
    return f"- and {counted(count, 'more server', 'more servers')}; {ELSEWHERE}"


def _place(place: outline.Place) -> list[str]:
    server = f"- {code(cut(place.server))}"
    if not place.up:
        return [f"{server}: **not reached**: {escape(place.reason or 'no reason is known')}"]
    labels = [f"{name}={value}" for name, value in place.labels.items()]
    return [
        f"{server}: {escape(place.version)}" + (f" ({_names(labels)})" if labels else ""),
        f"  - databases: {_listed(place.databases, most=DATABASES) or 'none, only the server as a whole'}",
        f"  - asked: {_names(place.asked) or 'nothing'}",
        *(f"  - but {escape(trouble)}" for trouble in place.troubles),
    ]


def _finding(finding: Finding, known: Known | None) -> Iterator[str]:
    where = f"{code(cut(finding.subject, SUBJECT_SHOWN))} in {code(str(finding.target))}"
    yield from ("", f"### {finding.severity}: {where}", "")
    yield f"**{escape(finding.title)}** ({code(finding.rule)})"
    yield from ("", escape(finding.summary), "")
    if known is not None:
        yield from (f"Stands {escape(outline.standing(known))}", "")
    yield from (f"Why: {escape(finding.impact)}", "")
    yield from (f"- {escape(name)}: {escape(value)}" for name, value in figures(finding.evidence))
    yield from _sql("To mend:", finding.remedy.sql)
    yield from _sql("To undo:", finding.remedy.rollback)
    if finding.remedy.caution:
        yield from ("", "Caution: " + "  \n".join(escape(line) for line in finding.remedy.caution.split("\n")))
    if finding.confidence is not Confidence.HIGH:
        yield from ("", f"Confidence: {finding.confidence}")


def _sql(title: str, statements: Sequence[str]) -> Iterator[str]:
    if statements:
        yield from ("", title, "")
        yield from fenced("\n".join(shown_sql(statement) for statement in script(statements)))


def _grid(grid: outline.Grid) -> Iterator[str]:
    yield from ("", f"### {grid.title}", "")
    yield _row(escape(name) for name in grid.header)
    yield _row("---:" if right else "---" for right in grid.right)
    yield from (_row(escape(cell) for cell in row) for row in grid.rows)
    if grid.more:
        yield from ("", f"and {grid.more:,} more in `--format json`")


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gap(gap: outline.Gap) -> list[str]:
    return [f"- {escape(cut(gap.reason))} ({gap.needs})", *(f"  - {escape(line)}" for line in gap.lines)]


def _reasons(count: int) -> str:
    return f"- and for {counted(count, 'more reason', 'more reasons')}; {ELSEWHERE}"


def _gaps(review: Review) -> Iterator[str]:
    gaps = outline.gaps(review)
    if gaps:
        blind = {entry.rule for entry in review.not_evaluated}
        yield from ("", f"### Not evaluated: {counted(len(blind), 'rule', 'rules')}", "")
    yield from fitting.first(map(_gap, gaps), fitting.GAPS, _reasons)
    idle = outline.not_applicable(review)
    if idle:
        yield from ("", f"{counted(idle, 'rule does', 'rules do')} not apply: what they judge is not there")
