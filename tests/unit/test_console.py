"""The console receiver: what it prints, plain and coloured; and that a stopped or closed terminal stops nothing."""

import asyncio
import io
import os
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console as Terminal

from monitor.errors import DeliveryError
from monitor.model import Ack, Alert, Remedy, Severity
from monitor.notify.console import Console
from tests.alerts import at, firing, resolved
from tests.notices import back, notice


def paper(width: int = 100) -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    return Terminal(file=file, width=width, force_terminal=False), file


async def test_a_firing_alert_shows_everything_one_needs() -> None:
    terminal, file = paper()
    await Console(terminal=terminal, external_url="http://127.0.0.1:9779/").send(notice(firing()))
    assert file.getvalue().splitlines() == [
        "12:00:00  WARNING  shop/shop  Connection slots nearly full  pool.saturation",
        "         85 of 100 slots are used",
        "         select 1;",
        "         Ask who needs so many.",
        f"         http://127.0.0.1:9779/findings/{firing().finding.fingerprint}",
    ]


async def test_a_resolved_alert_says_when_and_no_remedy() -> None:
    terminal, file = paper()
    await Console(terminal=terminal).send(notice(resolved()))
    assert file.getvalue().startswith("12:01:00  RESOLVED  shop/shop")
    assert "select 1" not in file.getvalue()


async def printed(*news: Alert, standing: Sequence[Alert] = (), seconds: float = 60) -> list[str]:
    terminal, file = paper()
    await Console(terminal=terminal).send(notice(*news, standing=standing, seconds=seconds))
    return file.getvalue().splitlines()


async def test_what_is_over_says_how_long_it_lasted_and_what_ended_it() -> None:
    assert "         It lasted 60 s (its database is gone)." in await printed(
        replace(resolved(), ended_by="its database is gone")
    )


async def test_a_target_that_answers_again_is_back() -> None:
    head, *rest = await printed(back())
    assert head == "12:12:00  RESOLVED  shop  shop is back after 12 min  target.unreachable"
    assert "         It was away for 12 min." in rest


async def test_what_stands_is_one_line_below_the_news() -> None:
    lines = await printed(firing("new"), standing=[firing("old")], seconds=4 * 3600)
    assert lines[-2:] == [
        "16:00:00 Still firing:",
        "12:00:00  WARNING  shop/shop  Connection slots nearly full  pool.saturation  for 4 h",
    ]
    assert sum("slots are used" in line for line in lines) == 1


async def test_a_repetition_says_for_how_long_and_who_has_taken_note() -> None:
    acked = replace(firing(), acked=Ack(author="Ann", comment="", at=at(0), severity=Severity.WARNING))
    lines = await printed(standing=[acked], seconds=4 * 3600 + 1200)
    assert lines[0] == "16:20:00 Still firing for 4 h 20 min:"
    assert lines[1].endswith("for 4 h 20 min, acknowledged by Ann")


async def test_a_flood_is_cut_and_counted_by_rule_and_target() -> None:
    lines = await printed(*(firing(f"table {number}", rule=f"tables.{number % 3}") for number in range(3000)))
    assert sum("slots are used" in line for line in lines) == 50
    assert lines[-4:-2] == ["         … and 2900 more (2900 firing)", "         967 x tables.1 on shop/shop"]
    assert len(lines) < 400


async def test_sql_is_never_wrapped_so_that_it_can_be_copied() -> None:
    sql = "create index concurrently on public.rooms (owner_id) where " + " and ".join(["deleted_at is null"] * 9)
    terminal, file = paper(width=40)
    alert = replace(firing(), finding=replace(firing().finding, remedy=Remedy(sql=(sql,))))
    await Console(terminal=terminal).send(notice(alert))
    assert f"{sql};" in file.getvalue()


async def test_names_neither_drive_the_terminal_nor_are_taken_for_markup() -> None:
    terminal, file = paper()
    evil = "\x1b[2J\x07[red]\u202eten\x9b"
    finding = replace(
        firing().finding, title=evil, summary=evil, subject=evil, remedy=Remedy(sql=(evil,), caution=evil)
    )
    await Console(terminal=terminal).send(notice(replace(firing(), finding=finding)))
    assert not set("\x1b\x07\u202e\x9b") & set(file.getvalue())
    assert file.getvalue().count("[2J[red]ten") == 4


async def test_colours_only_on_a_terminal() -> None:
    file = io.StringIO()
    await Console(terminal=Terminal(file=file, force_terminal=True, color_system="standard")).send(notice(firing()))
    assert "\x1b[" in file.getvalue()


async def test_what_the_encoding_lacks_is_replaced() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    finding = replace(firing().finding, title="Größe")
    await Console(terminal=Terminal(file=file)).send(notice(replace(firing(), finding=finding)))
    assert b"Gr??e" in raw.getvalue()


async def test_a_closed_terminal_is_a_final_failure() -> None:
    terminal, file = paper()
    file.close()
    with pytest.raises(DeliveryError, match=r"^console: cannot be written to") as caught:
        await Console(terminal=terminal).send(notice(firing()))
    assert not caught.value.retryable


async def test_a_broken_pipe_is_a_final_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        with pytest.raises(DeliveryError, match="BrokenPipeError") as caught:
            await Console(terminal=Terminal(file=file)).send(notice(firing()))
        with pytest.raises(BrokenPipeError):
            file.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    assert not caught.value.retryable


class Stopped(io.StringIO):
    """A terminal after Ctrl-S: takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(10)
        return super().write(text)


async def test_a_stopped_terminal_stops_nothing_else_and_is_tried_again() -> None:
    file = Stopped()
    receiver = Console(terminal=Terminal(file=file, width=100), deadline=0.2)
    for says in ("the terminal takes nothing", "the terminal still takes nothing"):
        with pytest.raises(DeliveryError, match=says) as caught:
            await receiver.send(notice(firing()))
        assert caught.value.retryable
    file.go.set()
    async with asyncio.timeout(5):
        while "select 1" not in file.getvalue():  # noqa: ASYNC110 - the thread has no event for us
            await asyncio.sleep(0.01)
    await receiver.send(notice(resolved()))
    assert "RESOLVED" in file.getvalue()
