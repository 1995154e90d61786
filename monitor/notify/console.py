"""Tells whoever watches the terminal: each alert as it fires or ends, with the SQL that mends it; and what stands."""

import asyncio
import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import IO, Literal, cast

from rich.console import Console as Terminal
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from monitor.errors import DeliveryError
from monitor.model import Alert, State
from monitor.notice import Notice
from monitor.notify.summary import WITH_LINKS, since, summary
from monitor.notify.wording import (
    divided,
    ending,
    kinds,
    line,
    longest,
    page,
    place,
    plain,
    standing_for,
    tally,
    terminated,
    title,
    word,
)

DEADLINE_SECONDS = 10.0
FULL, LINES, KINDS = 50, 50, 20
"""So many news are printed in full, so many by a line; so many kinds of the rest are counted."""
INSET = " " * 9  # as wide as the time before each headline
STYLES = {
    "critical": "bold white on red",
    "warning": "bold black on yellow",
    "info": "bold cyan",
    "resolved": "green",
    "fixed": "green",
    "no effect": "yellow",
    "worse": "bold red",
}


@dataclass(frozen=True, kw_only=True)
class Console:
    """A receiver that prints to a rich console: colours on a terminal, plain text elsewhere."""

    name: str = "console"
    terminal: Terminal = field(default_factory=Terminal)
    external_url: str | None = None
    deadline: float = DEADLINE_SECONDS
    _writing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    async def send(self, notice: Notice) -> None:
        """Print a notice, or raise DeliveryError when the terminal takes nothing."""
        paper = io.StringIO()
        draw = self._draw if notice.digest is None else self._draw_digest
        draw(_pen(self.terminal, paper), notice)
        await self._write(paper.getvalue())

    def _draw(self, pen: Terminal, notice: Notice) -> None:
        """News in full, then by lines; a line for what stands; the rest counted."""
        news, standing = divided(notice)
        for alert in news[:FULL]:
            self._draw_full(pen, alert)
        lines, still = news[FULL:][:LINES], standing[:LINES]
        for alert in lines:
            pen.print(_head(alert, f"  {ending(alert)}" if alert.state is State.RESOLVED else ""), soft_wrap=True)
        if still:
            length = "" if news else f" for {longest(standing, notice.created_at)}"
            pen.print(Text(f"{notice.created_at:%H:%M:%S} Still firing{length}:", style="bold"), soft_wrap=True)
        for alert in still:
            pen.print(_head(alert, f"  {standing_for(alert, notice.created_at)}"), soft_wrap=True)
        _count(pen, [*news[FULL + len(lines) :], *standing[len(still) :]])

    def _draw_digest(self, pen: Terminal, notice: Notice) -> None:
        told = summary(notice)
        pen.print(Text(f"{notice.created_at:%H:%M:%S} {told.heading}", style="bold"), soft_wrap=True)
        pen.print(_inset(told.period, "dim"))
        for heading, alerts in told.lists:
            pen.print(Text(f"{INSET}{heading}:", style="bold"), soft_wrap=True)
            for alert in alerts:
                pen.print(_head(alert, f"  {since(alert, notice)}"), soft_wrap=True)
                self._link(pen, alert if heading in WITH_LINKS else None)
        if told.left_out:
            pen.print(Text(f"{INSET}… and {told.left_out} more"), soft_wrap=True)

    def _link(self, pen: Terminal, alert: Alert | None) -> None:
        link = alert and page(self.external_url, alert)
        if link:
            pen.print(Text(f"{INSET}{link}", style="dim"), soft_wrap=True)

    def _draw_full(self, pen: Terminal, alert: Alert) -> None:
        finding, show = alert.finding, pen.print
        show(_head(alert), soft_wrap=True)
        show(_inset(finding.summary))
        if alert.state is State.RESOLVED:
            show(_inset(f"It {ending(alert)}."))
        if alert.state is State.FIRING:
            for statement in finding.remedy.sql:
                sql = indent(terminated(statement), INSET)
                show(Syntax("", "postgresql", theme="ansi_dark").highlight(sql), soft_wrap=True, end="")
            if finding.remedy.caution:
                show(_inset(finding.remedy.caution, "italic"))
        self._link(pen, alert)

    async def _write(self, text: str) -> None:
        """Write in a thread: a terminal stopped by Ctrl-S, or a pipe nobody reads, must not stop the watch."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._writing.acquire(blocking=False):
            raise DeliveryError(f"{self.name}: the terminal still takes nothing; press Ctrl-Q", retryable=True)
        # A daemon thread: one that hangs for ever may not keep us from ending.
        threading.Thread(target=self._write_now, args=(text, done), daemon=True).start()
        try:
            async with asyncio.timeout(self.deadline):
                await done
        except TimeoutError:
            raise DeliveryError(f"{self.name}: the terminal takes nothing; press Ctrl-Q", retryable=True) from None
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            what = f"{self.name}: cannot be written to ({type(error).__name__}); is its reader gone?"
            raise DeliveryError(what, retryable=False) from None

    def _write_now(self, text: str, done: asyncio.Future[None]) -> None:
        problem: OSError | ValueError | None = None
        try:
            _put(self.terminal.file, text)
        except (OSError, ValueError) as error:
            problem = error
        finally:
            self._writing.release()
        try:
            done.get_loop().call_soon_threadsafe(_finish, done, problem)
        except RuntimeError:  # the loop ended while the terminal was stopped
            return


def _pen(terminal: Terminal, paper: io.StringIO) -> Terminal:
    """A console like the one given that draws on paper: the real one ends the whole process at a broken pipe."""
    system = cast("Literal['standard', '256', 'truecolor', 'windows'] | None", terminal.color_system)
    return Terminal(
        file=paper,
        width=terminal.width,
        force_terminal=terminal.is_terminal,
        color_system=system,
        no_color=terminal.no_color,
    )


def _head(alert: Alert, more: str = "") -> Text:
    moment = alert.ends_at if alert.state is State.RESOLVED else alert.fired_at
    return Text.assemble(
        f"{moment or alert.last_seen:%H:%M:%S} ",
        (f" {word(alert).upper()} ", STYLES[word(alert)]),
        f" {place(alert)}  ",
        (title(alert), "bold"),
        (f"  {line(alert.finding.rule)}", "dim"),
        more,
    )


def _count(pen: Terminal, rest: Sequence[Alert]) -> None:
    """How many more there are, and by rule and target, the most first."""
    if not rest:
        return
    pen.print(Text(f"{INSET}… and {len(rest)} more ({tally(rest)})"), soft_wrap=True)
    found = kinds(rest)
    for count, kind in found[:KINDS]:
        pen.print(Text(f"{INSET}{count} x {kind}"), soft_wrap=True)
    if found[KINDS:]:
        pen.print(Text(f"{INSET}and {len(found[KINDS:])} others"), soft_wrap=True)


def _inset(text: str, style: str = "") -> Padding:
    return Padding(Text(plain(text), style=style), (0, 0, 0, len(INSET)), expand=False)


def _put(file: IO[str], text: str) -> None:
    encoding = getattr(file, "encoding", None) or "utf-8"
    file.write(text.encode(encoding, "replace").decode(encoding))
    file.flush()


def _finish(done: asyncio.Future[None], problem: OSError | ValueError | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
