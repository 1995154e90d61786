"""What the demo says: its talk and each finding on stderr, the report on stdout."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from monitor.model import Alert, State
from monitor.report.review import Review
from monitor.report.text import as_text
from monitor.report.wording import cut, safe

STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan", "resolved": "bold green"}
FILE_WIDTH, LEAST_WIDTH, SUMMARY_SHOWN = 100, 60, 160


class Screen:
    """Talks with the seconds since it began before each line; colours only on a terminal."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._began = out, time.monotonic()
        self._talk = Console(file=err, highlight=False, soft_wrap=True)

    def say(self, text: str | Text) -> None:
        """Say one line."""
        self._talk.print(Text(f"{time.monotonic() - self._began:5.1f} s  ", "dim") + Text.assemble(text))

    def open_house(self, url: str, config: Path, seconds: float | None) -> None:
        """Say where to look."""
        until = "Ctrl-C ends it" if seconds is None else f"the report comes in {seconds:.0f} s"
        self.say(f"watching; {until}")
        self.say(Text.assemble("page     ", (url, "bold")))
        self.say(f"metrics  {url.rstrip('/')}/metrics")
        self.say(f"config   {config}")

    def tell(self, alert: Alert) -> None:
        """Say that a finding fires, or is over."""
        finding = alert.finding
        word = "resolved" if alert.state is State.RESOLVED else finding.severity.value
        line = Text.assemble(
            (f"{word:<8}", STYLES[word]),
            (f"  {finding.rule}", "bold"),
            f"  {safe(finding.subject)}: {safe(cut(finding.summary, SUMMARY_SHOWN))}",
        )
        self.say(Text(" ").join(line.split("\n")))

    def kept(self, config: Path, server: str) -> None:
        """Say what --keep leaves, how it is started again, and how it goes."""
        self.say(
            f"kept: {config.parent.parent}; its server stops now, and is started again by the first of these lines:"
        )
        for line in (server, f'psql "$(cat {config.parent / "dsn"})"', f"monitor run --config {config}"):
            self._talk.print(Text(f"    {line}"))
        self._talk.print(Text(f"    rm -r {config.parent.parent}    # when done with it"))

    def report(self, review: Review) -> None:
        """Write the report on stdout."""
        shown = self._out.isatty()
        width = max(Console(file=self._out).width, LEAST_WIDTH) if shown else FILE_WIDTH
        text = as_text(review, width, colour=shown and not os.environ.get("NO_COLOR"))
        self._out.write(text if text.endswith("\n") else text + "\n")
        self._out.flush()
