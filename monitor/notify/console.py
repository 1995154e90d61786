"""Tells whoever watches the terminal: each alert as it fires or ends, with the SQL that mends it."""

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
from monitor.notify.wording import line, page, place, plain, state, terminated, title

DEADLINE_SECONDS = 10.0
INSET = " " * 9  # as wide as the time before each headline
STYLES = {"critical": "bold white on red", "warning": "bold black on yellow", "info": "bold cyan", "resolved": "green"}


@dataclass(frozen=True, kw_only=True)
class Console:
    """A receiver that prints to a rich console: colours on a terminal, plain text elsewhere."""

    name: str = "console"
    terminal: Terminal = field(default_factory=Terminal)
    external_url: str | None = None
    deadline: float = DEADLINE_SECONDS
    _writing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Print, or raise DeliveryError when the terminal takes nothing."""
        paper = io.StringIO()
        pen = _pen(self.terminal, paper)
        for alert in alerts:
            self._draw(pen, alert)
        await self._write(paper.getvalue())

    def _draw(self, pen: Terminal, alert: Alert) -> None:
        finding, show = alert.finding, pen.print
        moment = alert.ends_at if alert.state is State.RESOLVED else alert.fired_at
        head = Text.assemble(
            f"{moment or alert.last_seen:%H:%M:%S} ",
            (f" {state(alert).upper()} ", STYLES[state(alert)]),
            f" {place(alert)}  ",
            (title(alert), "bold"),
            (f"  {line(finding.rule)}", "dim"),
        )
        show(head, soft_wrap=True)
        show(_inset(finding.summary))
        if alert.state is State.FIRING:
            for statement in finding.remedy.sql:
                sql = indent(terminated(statement), INSET)
                show(Syntax("", "postgresql", theme="ansi_dark").highlight(sql), soft_wrap=True, end="")
            if finding.remedy.caution:
                show(_inset(finding.remedy.caution, "italic"))
        link = page(self.external_url, alert)
        if link:
            show(Text(f"{INSET}{link}", style="dim"), soft_wrap=True)

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
