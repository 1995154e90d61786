"""One frame of `monitor top`: what is wrong, what the servers are busy with, and how full their pools are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.cli.shown import Sheet, state
from monitor.client import Document
from monitor.measurement import duration
from monitor.model import Severity
from monitor.report.text import SEVERITY_STYLES
from monitor.report.wording import SUBJECT_SHOWN, counted, cut

BAR = 16
"""Cells of a bar."""
NAME = 24
"""Characters of a server's and database's name."""
FULL, BUSY = 0.9, 0.7
"""From these parts of its limit on a pool is drawn red, and yellow."""
HEADER, HEADING = 2, 4
"""Lines of the frame's head, and of a table's: a blank one, its name, its columns and a rule."""
LEAST = 3
"""Lines that each table gets, however low the screen is."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the daemon answered last; `lost` says why it does not any more."""

    status: Document
    findings: Sequence[Document] = ()
    statements: Sequence[Document] = ()
    pools: Sequence[Document] = ()
    lost: str = ""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What a frame is drawn for: `lines` there are (None: as many as it needs), and findings that were scrolled by."""

    sheet: Sheet
    lines: int | None = None
    scrolled: int = 0
    url: str = ""
    keys: str = field(default="q quits, j and k scroll")


def frame(seen: Seen, screen: Screen) -> RenderableType:
    """Draw all there is room for: half of the lines for findings, the rest for statements and pools."""
    findings, statements, pools = _rooms(seen, screen.lines)
    shown = seen.findings[screen.scrolled : screen.scrolled + findings]
    total = sum(number for name, number in _counts(seen).items() if name.startswith("firing:"))
    place = f"{screen.scrolled + 1}-{screen.scrolled + len(shown)} of {total:,}" if shown else "none fires"
    return Group(
        _head(seen, screen),
        Text(),
        Text.assemble(("Findings", "bold"), (f"  {place}", "dim")),
        _findings(shown, screen.sheet),
        Text(),
        Text("Busiest statements", "bold"),
        _statements(seen.statements[:statements]),
        Text(),
        Text("Pools", "bold"),
        _pools(_limited(seen.pools)[:pools]),
    )


def _rooms(seen: Seen, lines: int | None) -> tuple[int, int, int]:
    """Give the rows of the three tables; what one does not need the others get."""
    wanted = (len(seen.findings), len(seen.statements), len(_limited(seen.pools)))
    if lines is None:
        return wanted
    left = max(3 * LEAST, lines - HEADER - 3 * HEADING)
    pools = min(wanted[2], max(LEAST, left // 5))
    statements = min(wanted[1], max(LEAST, left * 3 // 10))
    findings = min(wanted[0], max(LEAST, left - pools - statements))
    statements = min(wanted[1], max(statements, left - pools - findings))
    return findings, statements, min(wanted[2], max(pools, left - statements - findings))


def _counts(seen: Seen) -> Mapping[str, int]:
    counts = seen.status.get("findings")
    return counts if isinstance(counts, dict) else {}


def _head(seen: Seen, screen: Screen) -> RenderableType:
    """Say how all stands in one line, and what goes wrong with the asking in the next."""
    parts = [Text("pgarchitect", "bold")]
    for severity in reversed(Severity):
        number = _counts(seen).get(f"firing:{severity.value}", 0)
        if number:
            parts.append(Text(f"{number:,} {severity.value}", SEVERITY_STYLES[severity]))
    if len(parts) == 1:
        parts.append(Text("nothing is wrong" if seen.status.get("ready") else "first readings under way", "green"))
    targets = seen.status.get("targets") or {}
    parts.append(Text(f"{counted(int(targets.get('up', 0)), 'target', 'targets')} up"))
    if targets.get("down"):
        parts.append(Text(f"{targets['down']:,} down", "bold red"))
    if seen.status.get("total"):
        parts.append(Text(f"{seen.status['total']:,} not evaluated", "magenta"))
    remark = Text(f"connection lost: {cut(seen.lost)}; trying again", "bold red") if seen.lost else None
    foot = remark or Text(f"{cut(screen.url)}  {screen.keys}", "dim")
    lines = [Text("  ").join(parts), foot]
    for line in lines:
        line.truncate(screen.sheet.width, overflow="ellipsis")
    return Group(*lines)


def _findings(findings: Iterable[Document], sheet: Sheet) -> RenderableType:
    table = _grid(("severity", "state", "since", "in", "rule", "subject"), grows=5)
    for each in findings:
        severity = str(each.get("severity"))
        table.add_row(
            Text(cut(severity), SEVERITY_STYLES[Severity(severity)] if severity in set(Severity) else ""),
            Text(cut(state(each))),
            Text(sheet.ago(each.get("starts_at"))),
            Text(_place(each)),
            Text(cut(str(each.get("rule")))),
            Text(cut(str(each.get("subject")), SUBJECT_SHOWN)),
        )
    return table


def _statements(statements: Iterable[Document]) -> RenderableType:
    table = _grid(("load", "mean", "calls", "in", "statement"), grows=4, numbers=3)
    for each in statements:
        table.add_row(
            Text(f"{100 * _number(each.get('share')):.0f} %"),
            Text(duration(_number(each.get("mean_ms")) / 1000)),
            Text(f"{_number(each.get('calls')):,.0f}"),
            Text(_place(each)),
            Text(cut(" ".join(str(each.get("text") or each.get("statement") or "").split()))),
        )
    return table


def _limited(pools: Sequence[Document]) -> list[Document]:
    """Give the pools that have a limit, the fullest first."""
    limited = [each for each in pools if _number(each.get("limit")) > 0]
    return sorted(limited, key=_part, reverse=True)


def _part(pool: Document) -> float:
    return _number(pool.get("used")) / _number(pool.get("limit"))


def _pools(pools: Iterable[Document]) -> RenderableType:
    table = _grid(("used", "", "of", "in", "pool"), grows=4)
    for each in pools:
        part = _part(each)
        style = "red" if part >= FULL else "yellow" if part >= BUSY else "green"
        filled = round(min(1.0, part) * BAR)
        table.add_row(
            Text(f"{_number(each.get('used')):,.0f}"),
            Text("#" * filled, style).append("." * (BAR - filled), "dim"),
            Text(f"{_number(each.get('limit')):,.0f}"),
            Text(cut(str(each.get("target")), NAME)),
            Text(" ".join(cut(str(each[key])) for key in ("kind", "name") if each.get(key))),
        )
    return table


def _grid(header: Sequence[str], *, grows: int, numbers: int = 0) -> Table:
    """Give a table of one line a row; the column `grows` takes what the others leave."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1), expand=True)
    for place, name in enumerate(header):
        table.add_column(
            Text(name),
            justify="right" if place < numbers else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if place == grows else None,
        )
    return table


def _place(document: Document) -> str:
    return cut("/".join(str(document[key]) for key in ("target", "database") if document.get(key)), NAME)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
