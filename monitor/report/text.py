"""A review for the terminal: verdict first, SQL as it is to be copied, and nothing a hostile name could bend."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from monitor.model import Confidence, Finding, Severity
from monitor.report import form, outline
from monitor.report.review import Known, Review, Verdict
from monitor.report.wording import SUBJECT_SHOWN, counted, cut, enumerated, figures, safe, script, shown_sql

PROSE_WIDTH = 110
"""Lines longer than this are hard to read, however wide the terminal is."""
LABEL_WIDTH = 12
COLUMN_WIDTH = 16
"""A table's column may be cut to this; columns that find no room are left out, from the right."""
GUTTER = 3
LEAST_WIDTH = 20

SEVERITY_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
VERDICT_STYLES = {
    Verdict.BLOCKED: "bold red",
    Verdict.CHANGES_REQUESTED: "bold yellow",
    Verdict.NOT_EVALUATED: "bold magenta",
    Verdict.APPROVED: "bold green",
}


@dataclass(frozen=True)
class Verbatim:
    """Lines that rich must neither wrap, crop, mark up nor change a tab of."""

    text: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = Style.parse(self.style)
        for line in self.text.split("\n"):
            yield Segment(line, style)
            yield Segment.line()


class Page:
    """A console with a margin: labelled paragraphs, headings and SQL."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = min(console.width, PROSE_WIDTH)

    def line(self, text: str | Text = "", style: str = "") -> None:
        """Print one line; only its end may leave the screen."""
        self.console.print(Text(text, style) if isinstance(text, str) else text, soft_wrap=True)

    def heading(self, title: str) -> None:
        """Open a chapter."""
        self.line()
        self.console.print(Rule(Text(title, "bold"), align="left", style="dim"), width=self.width)

    def paragraph(self, text: str, *, label: str = "", indent: int = 2, style: str = "") -> None:
        """Print wrapped text, made safe, with a label in the margin of its first line."""
        margin = indent + (LABEL_WIDTH if label else 0)
        first = Text(" " * indent).append(label.ljust(margin - indent), "dim")
        for line in Text(safe(text), style).wrap(self.console, max(LEAST_WIDTH, self.width - margin)):
            line.rstrip()
            self.line(first + line)
            first = Text(" " * margin)

    def paragraphs(self, texts: Iterable[str], label: str, style: str = "") -> None:
        """Print texts below each other under one label."""
        for text in texts:
            self.paragraph(text, label=label, style=style)
            label = " "

    def sql(self, label: str, statements: Sequence[str]) -> None:
        """Print statements to be copied: indented where that cannot change them, else at the margin."""
        if statements:
            self.line(Text(f"  {label}", "dim"))
        for statement in script(statements):
            text = shown_sql(statement)
            indented = text if "\n" in text else f"    {text}"
            self.console.print(Verbatim(indented, "bold"), soft_wrap=True, end="")


def as_text(review: Review, width: int = 100, *, colour: bool = False) -> str:
    """Give the report as text, with ANSI colours or without."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
    )
    print_text(review, console)
    return file.getvalue()


def print_text(review: Review, console: Console) -> None:
    """Print the report; colours are the console's business (NO_COLOR is obeyed by rich)."""
    page = Page(console)
    page.line(outline.headline(review), VERDICT_STYLES[review.verdict])
    page.paragraph(outline.occasion(review), indent=0, style="dim")
    _places(page, review)
    for area, findings in outline.chapters(review):
        page.heading(f"{area}: {outline.tally(findings)}")
        for finding in findings:
            print_finding(page, finding, review.known.get(finding.fingerprint))
    for grid in outline.grids(review):
        _grid(page, grid)
    _gaps(page, review)
    if review.ignored:
        page.line()
        page.paragraph(outline.ignored(review), indent=0)


def _places(page: Page, review: Review) -> None:
    page.heading("looked at")
    for place in outline.places(review):
        if not place.up:
            page.line(Text.assemble((cut(place.server), "bold"), "  ", ("NOT REACHED", "bold red")))
            page.paragraph(place.reason or "no reason is known")
            continue
        page.line(Text.assemble((cut(place.server), "bold"), *(f"  {cut(word)}" for word in _features(place))))
        page.paragraph(enumerated(place.databases) or "none, only the server as a whole", label="databases")
        page.paragraph(enumerated(place.asked) or "nothing", label="asked")
        for trouble in place.troubles:
            page.paragraph(trouble, label="but", style="yellow")
    if review.checked:
        page.line()
        page.paragraphs((f"{part.title}: {part.claim}" for part in form.parts(review)), "checked")


def _features(place: outline.Place) -> Iterator[str]:
    if place.version:
        yield place.version
    yield from (f"{name}={value}" for name, value in place.labels.items())


def print_finding(page: Page, finding: Finding, known: Known | None = None) -> None:
    """Print one finding with what it saw and the SQL that mends it, and what the ledger knows of it."""
    page.line()
    head = Text.assemble((finding.severity.upper(), SEVERITY_STYLES[finding.severity]), "  ")
    head.append(cut(finding.subject, SUBJECT_SHOWN), "bold").append(f"  in {cut(str(finding.target))}")
    page.line(head)
    page.paragraph(f"{finding.title} ({finding.rule})")
    if finding.missing:
        page.paragraph(f"There is no more to be shown: {finding.missing}.")
        return
    page.paragraph(finding.summary)
    if known is not None:
        page.paragraph(outline.standing(known), label="stands")
    page.paragraph(finding.impact, label="why")
    page.paragraphs((f"{name}: {value}" for name, value in figures(finding.evidence)), "seen")
    page.sql("to mend", finding.remedy.sql)
    page.sql("to undo", finding.remedy.rollback)
    if finding.remedy.caution:
        page.paragraphs(finding.remedy.caution.split("\n"), "caution", "yellow")
    if finding.confidence is not Confidence.HIGH:
        page.paragraph(finding.confidence, label="confidence")


def _grid(page: Page, grid: outline.Grid) -> None:
    page.heading(grid.title.lower())
    widths = _widths(grid, page.console.width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1))
    for name, right, width in zip(grid.header, grid.right, widths, strict=False):
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(Text(name), justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in grid.rows:
        table.add_row(*(Text(cell) for cell in row[: len(widths)]))
    page.console.print(table)
    if grid.more:
        page.paragraph(f"and {grid.more:,} more in --format json", style="dim")


def _widths(grid: outline.Grid, width: int) -> list[int]:
    """Give the columns that fit their widths; room that is left goes to the first that want more than COLUMN_WIDTH."""
    wanted = [max(map(cell_len, column)) for column in zip(grid.header, *grid.rows, strict=True)]
    least = [min(length, COLUMN_WIDTH) for length in wanted]
    ends = accumulate(length + GUTTER for length in least)
    fitting = max(1, sum(end <= width + GUTTER for end in ends))
    room = width + GUTTER - sum(least[:fitting]) - GUTTER * fitting
    widths = []
    for length, full in zip(least[:fitting], wanted, strict=False):
        more = max(0, min(full - length, room))
        room -= more
        widths.append(length + more)
    return widths


def _gaps(page: Page, review: Review) -> None:
    gaps = outline.gaps(review)
    if gaps:
        page.heading(f"not evaluated: {counted(len({entry.rule for entry in review.not_evaluated}), 'rule', 'rules')}")
    for gap in gaps:
        page.paragraph(f"{cut(gap.reason)} ({gap.needs})", indent=0)
        for line in gap.lines:
            page.paragraph(line)
    idle = outline.not_applicable(review)
    if idle:
        page.line()
        page.paragraph(f"{counted(idle, 'rule does', 'rules do')} not apply: what they judge is not there", indent=0)
