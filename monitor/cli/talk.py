"""What `monitor findings …` does: asks the running daemon, and gives what there is to print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from rich.console import Console

from monitor.cli.reach import Way, door
from monitor.cli.shown import Sheet, one_finding, table_of_changes, table_of_findings, table_of_silences
from monitor.client import Client, Document
from monitor.errors import UsageError
from monitor.findings.matchers import Matcher, Op
from monitor.model import State
from monitor.report.wording import cut

FILE_WIDTH = 1000
"""Of what is no terminal: nothing is cut there."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which findings are listed; `rule` is a glob, and with no `status` those that are over are left out."""

    filters: Mapping[str, str]
    rule: str = "*"
    status: str = ""

    def takes(self, finding: Document) -> bool:
        """Tell whether a finding is to be listed."""
        over = finding["status"] == State.RESOLVED
        right = not over if not self.status else self.status in {"all", finding["status"]}
        return right and fnmatchcase(str(finding["rule"]), self.rule)


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a silence begins and ends, as written; its end is a time, or so long after its begin."""

    begin: str | None = None
    end: str | None = None
    lasts: str | None = None

    def document(self) -> dict[str, str]:
        """Give it as the API wants it; raises UsageError."""
        if (self.end is None) is (self.lasts is None):
            raise UsageError("silence: say how long, by --for 2h or by --until 2027-01-31T08:00:00+01:00")
        named = {"starts_at": self.begin, "ends_at": self.end, "duration": self.lasts}
        return {key: value for key, value in named.items() if value is not None}


async def listed(way: Way, wanted: Wanted, *, as_json: bool) -> str:
    """Give a table of findings, worst first."""
    async with Client(door(way, os.environ)) as client:
        found = [each for each in await client.findings(**wanted.filters) if wanted.takes(each)]
    return _json({"findings": found}) if as_json else table_of_findings(found, sheet())


async def shown(way: Way, fingerprint: str, *, as_json: bool) -> str:
    """Give all that is known of one finding."""
    async with Client(door(way, os.environ)) as client:
        finding = await client.finding(fingerprint)
    return _json(finding) if as_json else one_finding(finding, sheet())


async def acked(way: Way, fingerprint: str, *, comment: str, author: str) -> str:
    """Take note of a finding."""
    async with Client(door(way, os.environ)) as client:
        finding = await client.finding(fingerprint)
        done = await client.ack(str(finding["fingerprint"]), comment=comment, author=author)
    return f"{_named(finding)}: acked by {cut(str(done.get('author', '')))}; no repeats until it is over or worse"


async def unacked(way: Way, fingerprint: str, *, author: str) -> str:
    """Take an ack back."""
    async with Client(door(way, os.environ)) as client:
        finding = await client.finding(fingerprint)
        await client.unack(str(finding["fingerprint"]), author=author)
    return f"{_named(finding)}: not acked any more"


async def silenced(way: Way, matchers: Sequence[str], span: Span, *, comment: str, author: str) -> str:
    """Begin a silence, and give its id."""
    document = {"matchers": list(matchers), "comment": comment, **span.document()}
    if not matchers:
        raise UsageError("silence: of what? give --target NAME or matchers such as 'rule=~\"index.*\"'")
    async with Client(door(way, os.environ)) as client:
        made = await client.silence(document, author=author)
    return f"{made.get('id')}  silent until {made.get('ends_at')}: {cut(' '.join(map(str, made.get('matchers', ()))))}"


async def silences(way: Way, *, as_json: bool, everything: bool) -> str:
    """Give a table of silences; those that are over only if asked for."""
    async with Client(door(way, os.environ)) as client:
        found = await client.silences()
    now = datetime.now(UTC)
    found = [each for each in found if everything or datetime.fromisoformat(str(each["ends_at"])) > now]
    return _json({"silences": found}) if as_json else table_of_silences(found, sheet())


async def audit(way: Way, *, as_json: bool) -> str:
    """Give a table of who changed what, newest first."""
    async with Client(door(way, os.environ)) as client:
        found = await client.audit()
    return _json({"audit": found}) if as_json else table_of_changes(found, sheet())


async def unsilenced(way: Way, beginning: str, *, author: str) -> str:
    """End a silence."""
    async with Client(door(way, os.environ)) as client:
        ended = await client.unsilence(beginning, author=author)
    return f"{cut(str(ended.get('id')))}: over"


def about(target: str) -> str:
    """Give the matcher of everything about one target."""
    return str(Matcher("target", Op.EQUAL, target))


def sheet() -> Sheet:
    """Give what stdout can show."""
    terminal = sys.stdout.isatty()
    width = Console().width if terminal else FILE_WIDTH
    return Sheet(width=width, colour=terminal and not os.environ.get("NO_COLOR"), now=datetime.now(UTC))


def _named(finding: Document) -> str:
    return f"{finding['fingerprint']} {cut(str(finding['subject']))} ({finding['rule']})"


def _json(document: Document) -> str:
    return json.dumps(document, indent=2)
