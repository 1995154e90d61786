"""What a chat is told of a notice: its title and body in the chat's words, also where it is a digest."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.model import Alert
from monitor.notice import Notice
from monitor.notify import chat
from monitor.notify.chat import HARMLESS, LISTED, TITLE_CHARACTERS, Dialect, Room, calm, cut
from monitor.notify.summary import WITH_LINKS, Summary, since, summary
from monitor.notify.wording import SIGNS, line, page, place, title, word

LINE_CHARACTERS = 300
TAIL_CHARACTERS = 40


def heading(notice: Notice) -> str:
    """The message's title, on one plain line that formats nothing."""
    if notice.digest is None:
        return chat.heading(notice)
    return calm(cut(summary(notice).heading, TITLE_CHARACTERS)).translate(HARMLESS)


def body(notice: Notice, external_url: str | None, dialect: Dialect, room: Room, *, headed: bool = False) -> str:
    """The message, as much as there is room for. `headed`: its title stands above."""
    if notice.digest is None:
        return chat.body(notice, external_url, dialect, room, headed=headed)
    told = summary(notice)
    lines, left = list(_head(told, dialect, headed=headed)), told.left_out
    for name, alerts in told.lists:
        where = external_url if name in WITH_LINKS else None
        entries = [_line(alert, notice, where, dialect) for alert in alerts[:LISTED]]
        wanted, left = ["", dialect.strong(dialect.text(f"{name}:"))], left + len(alerts)
        for entry in entries:
            if not _holds(room, dialect, [*lines, *wanted, entry]):
                break
            lines, wanted, left = [*lines, *wanted, entry], [], left - 1
    return cut(dialect.turn.join([*lines, *_tail(left, dialect)]), room.characters)


def _head(told: Summary, dialect: Dialect, *, headed: bool) -> Iterator[str]:
    if not headed:
        yield dialect.strong(dialect.text(cut(told.heading, TITLE_CHARACTERS)))
    yield dialect.text(told.period)


def _tail(left: int, dialect: Dialect) -> Iterator[str]:
    if left:
        yield ""
        yield dialect.text(f"… and {left} more")


def _line(alert: Alert, notice: Notice, external_url: str | None, dialect: Dialect) -> str:
    what = (
        f"{SIGNS[word(alert)]} {word(alert).upper()}: {title(alert)} — {place(alert)} · {line(alert.finding.subject)}"
    )
    text = dialect.text(cut(f"{what}, {since(alert, notice)}", LINE_CHARACTERS))
    link = page(external_url, alert)
    return f"{text} · {dialect.link(link)}" if link else text


def _holds(room: Room, dialect: Dialect, lines: list[str]) -> bool:
    """Tell whether so much fits with a tail below it."""
    return room.holds(dialect.turn.join([*lines, "", "." * TAIL_CHARACTERS]))
