"""A review in Markdown, for pull requests and tickets: what comes from a database is escaped or in a code span."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monitor.model import Confidence, Finding
from monitor.report import outline
from monitor.report.review import Known, Review
from monitor.report.wording import SUBJECT_SHOWN, counted, cut, figures, safe, script, shown_sql

SPECIAL = re.compile(r"[\\`*_\[\]|~$]|^[#+=-]|^\d+(?=[.)](\s|$))")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
LEAST_FENCE = 3


def as_markdown(review: Review) -> str:
    """Give the report, the verdict as its title."""
    return "\n".join(_lines(review)) + "\n"


def escape(text: str) -> str:
    """Make a text mean only itself in Markdown and HTML, on one line."""
    plain = SPECIAL.sub(_escaped, safe(text).strip())
    return re.sub("[&<>@]", lambda found: ENTITIES[found[0]], plain)


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


def _lines(review: Review) -> Iterator[str]:
    yield f"# {escape(outline.headline(review))}"
    yield ""
    yield escape(outline.occasion(review))
    yield from _places(review)
    for area, findings in outline.chapters(review):
        yield from ("", f"## {area}: {outline.tally(findings)}")
        for finding in findings:
            yield from _finding(finding, review.known.get(finding.fingerprint))
    for grid in outline.grids(review):
        yield from _grid(grid)
    yield from _gaps(review)
    if review.ignored:
        yield from ("", outline.ignored(review))


def _names(names: Sequence[str]) -> str:
    return ", ".join(code(cut(name)) for name in names)


def _places(review: Review) -> Iterator[str]:
    yield from ("", "## looked at", "")
    for place in outline.places(review):
        server = f"- {code(cut(place.server))}"
        if not place.up:
            yield f"{server}: **not reached**: {escape(place.reason or 'no reason is known')}"
            continue
        labels = [f"{name}={value}" for name, value in place.labels.items()]
        yield f"{server}: {escape(place.version)}" + (f" ({_names(labels)})" if labels else "")
        yield f"  - databases: {_names(place.databases) or 'none, only the server as a whole'}"
        yield f"  - asked: {_names(place.asked) or 'nothing'}"
        yield from (f"  - but {escape(trouble)}" for trouble in place.troubles)


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
    yield from ("", f"## {grid.title.lower()}", "")
    yield _row(escape(name) for name in grid.header)
    yield _row("---:" if right else "---" for right in grid.right)
    yield from (_row(escape(cell) for cell in row) for row in grid.rows)
    if grid.more:
        yield from ("", f"and {grid.more:,} more in `--format json`")


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gaps(review: Review) -> Iterator[str]:
    gaps = outline.gaps(review)
    if gaps:
        blind = {entry.rule for entry in review.not_evaluated}
        yield from ("", f"## not evaluated: {counted(len(blind), 'rule', 'rules')}", "")
    for gap in gaps:
        yield f"- {escape(cut(gap.reason))} ({gap.needs})"
        yield from (f"  - {escape(line)}" for line in gap.lines)
    idle = outline.not_applicable(review)
    if idle:
        yield from ("", f"{counted(idle, 'rule does', 'rules do')} not apply: what they judge is not there")
