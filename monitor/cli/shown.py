"""Draws findings and silences as `monitor findings` prints them; hostile names are made safe to show."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.client import Document
from monitor.errors import MonitorError
from monitor.measurement import duration
from monitor.model import Severity
from monitor.report.text import SEVERITY_STYLES, Page, print_finding
from monitor.report.wording import SUBJECT_SHOWN, cut
from monitor.store.documents import finding_from_text

DIGITS_SHOWN = 10
"""Digits that tell a finding or silence apart in practice; where they do not, the commands say so."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What is drawn on."""

    width: int
    colour: bool
    now: datetime

    def console(self, file: io.StringIO) -> Console:
        """Give a console that draws into a text."""
        return Console(
            file=file,
            width=self.width,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            no_color=not self.colour,
        )

    def ago(self, moment: object) -> str:
        """Write how long ago a time of a document was."""
        found = _moment(moment)
        return "" if found is None else duration(max(0.0, (self.now - found).total_seconds()))

    def when(self, moment: object) -> str:
        """Write a time of a document, and how long ago it was or how long away it is."""
        found = _moment(moment)
        if found is None:
            return "unknown"
        seconds = (self.now - found).total_seconds()
        distance = f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"
        return f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({distance})"


def table_of_findings(findings: Sequence[Document], sheet: Sheet) -> str:
    """Give one line a finding."""
    if not findings:
        return "no findings"
    header = ("finding", "severity", "state", "since", "in", "rule", "subject")
    return _table(header, (_row(each, sheet) for each in findings), sheet)


def table_of_silences(silences: Sequence[Document], sheet: Sheet) -> str:
    """Give one line a silence."""
    if not silences:
        return "no silences"
    rows = (
        (
            Text(cut(str(each.get("id"))[:DIGITS_SHOWN])),
            Text(sheet.when(each.get("starts_at"))),
            Text(sheet.when(each.get("ends_at"))),
            Text(cut(" ".join(map(str, each.get("matchers", ()))))),
            Text(cut(str(each.get("author", "")))),
            Text(cut(str(each.get("comment", "")))),
        )
        for each in silences
    )
    return _table(("silence", "from", "until", "matchers", "author", "comment"), rows, sheet)


def table_of_changes(changes: Sequence[Document], sheet: Sheet) -> str:
    """Give one line an entry of the audit log."""
    if not changes:
        return "nobody changed anything"
    rows = (
        (
            Text(sheet.when(each.get("at"))),
            Text(cut(str(each.get("who", "")))),
            Text(cut(str(each.get("action", "")))),
            Text(cut(_about(each.get("document")))),
        )
        for each in changes
    )
    return _table(("when", "who", "what", "about"), rows, sheet)


def _about(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    return " ".join(str(document[key]) for key in ("fingerprint", "id", "matchers", "comment") if document.get(key))


def one_finding(document: Document, sheet: Sheet) -> str:
    """Give a finding with its evidence, its SQL and its life."""
    try:
        finding = finding_from_text(json.dumps(document))
    except ValueError:
        raise MonitorError("the daemon's answer is no finding; is it of another version?") from None
    paper = io.StringIO()
    page = Page(sheet.console(paper))
    print_finding(page, finding)
    page.line()
    for label, text in _life(document, sheet):
        page.paragraph(text, label=label)
    return _trimmed(paper)


def _life(document: Document, sheet: Sheet) -> Iterator[tuple[str, str]]:
    yield "state", state(document)
    yield "since", sheet.when(document.get("starts_at"))
    if document.get("fired_at"):
        yield "told from", sheet.when(document["fired_at"])
    yield "last seen", f"{sheet.when(document.get('last_seen'))}, {document.get('occurrences', 1):,} times in all"
    if document.get("moved_from"):
        yield "moved from", str(document["moved_from"])
    if document.get("remedied_at"):
        yield "remedied", f"{sheet.when(document['remedied_at'])}: {document.get('outcome') or _unmeasured(document)}"
    if document.get("ends_at"):
        yield "ended", " ".join((sheet.when(document["ends_at"]), str(document.get("ended_by") or ""))).strip()
    ack = document.get("acked")
    if isinstance(ack, Mapping):
        yield "acked", f"{sheet.when(ack.get('at'))} by {ack.get('author')}: {ack.get('comment')}"
    if document.get("silenced_by"):
        yield "silenced", f"by {document['silenced_by']}; `monitor findings silences` lists silences"
    if document.get("inhibited_by"):
        yield "inhibited", f"by {document['inhibited_by']}: nobody is told of it while that fires"
    label = "history"
    for turn in _mappings(document.get("history")):
        step = " ".join(str(turn.get(key) or "") for key in ("state", "severity", "why")).strip()
        yield label, f"{sheet.when(turn.get('at'))}: {step}"
        label = " "
    if document.get("history_reason"):
        yield label, f"cannot be read: {document['history_reason']}"
    yield "finding", str(document.get("fingerprint"))


def _unmeasured(document: Document) -> str:
    return "its effect was not measured" if document.get("status") == "resolved" else "its effect is being measured"


def state(finding: Document) -> str:
    """Give the one word that tells most: `acked`, `silenced` and `inhibited` are firing and quiet; `fixed` is over."""
    status = str(finding.get("status"))
    if status == "resolved" and finding.get("outcome"):
        return str(finding["outcome"])
    quiet = {"acked": "acked", "silenced": "silenced_by", "inhibited": "inhibited_by"}
    words = [word for word, key in quiet.items() if status == "firing" and finding.get(key)]
    return words[0] if words else status


def _row(finding: Document, sheet: Sheet) -> tuple[Text, ...]:
    severity = str(finding.get("severity"))
    style = SEVERITY_STYLES[Severity(severity)] if severity in set(Severity) else ""
    place = "/".join(str(finding[key]) for key in ("target", "database") if finding.get(key))
    return (
        Text(str(finding.get("fingerprint"))[:DIGITS_SHOWN]),
        Text(severity, style),
        Text(state(finding)),
        Text(sheet.ago(finding.get("starts_at"))),
        Text(cut(place)),
        Text(cut(str(finding.get("rule")))),
        Text(cut(str(finding.get("subject")), SUBJECT_SHOWN)),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Text]], sheet: Sheet) -> str:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1))
    for place, name in enumerate(header):
        table.add_column(Text(name), no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*row)
    paper = io.StringIO()
    sheet.console(paper).print(table)
    return _trimmed(paper)


def _trimmed(paper: io.StringIO) -> str:
    return "\n".join(line.rstrip() for line in paper.getvalue().strip("\n").split("\n"))


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None
