"""A notice in the words of any chat, as plain text, Markdown or HTML: news in full, others by a line, the rest counted.

Names come from strangers' databases: they mention nobody, link nowhere and format nothing.
"""

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monitor.model import Alert, Severity, State
from monitor.notice import Notice
from monitor.notify.wording import (
    SIGNS,
    divided,
    ending,
    line,
    page,
    place,
    plain,
    standing_for,
    state,
    tally,
    terminated,
    title,
    word,
)

DETAILED, LISTED = 20, 100
"""So many alerts are told in full, and so many by a line, however much a chat takes."""
TAIL_CHARACTERS = 80
"""What `… and 1,234 more (…)` and the lines before it take at most."""
NAME_CHARACTERS, PROSE_CHARACTERS, SQL_CHARACTERS, TITLE_CHARACTERS = 200, 600, 2000, 160
PARTED = "\u200b"
"""A zero-width space: it keeps a name from being a mention, and a scheme from being a link."""

HARMLESS = str.maketrans("<>`*", "\u2039\u203a'\u2217")
"""A title is Markdown to one chat and plain text to the next: no escape is right for both."""

Kind = str
"""failure, warning, info or success: what Apprise colours a message by."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a chat writes: texts made safe, and what it knows of emphasis, code and links."""

    text: Callable[[str], str]
    strong: Callable[[str], str]
    code: Callable[[str], str]
    link: Callable[[str], str]
    gap: str
    """Between two alerts."""
    turn: str
    """Between two lines."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much a chat takes, and how it counts."""

    characters: int
    lines: int = 0
    """0: any number."""
    size: Callable[[str], int]

    def holds(self, text: str) -> bool:
        """Tell whether a text fits."""
        return self.size(text) <= self.characters and not 0 < self.lines < text.count("\n") + 1


def calm(text: str) -> str:
    """Text in which nobody is mentioned and nothing is a link."""
    return re.sub(r"@(?=\S)", f"@{PARTED}", text).replace("://", f":{PARTED}//")


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands, whichever Markdown it is."""
    return re.sub(r"([\\*_\[\]~|#<>])", r"\\\1", calm(text).replace("`", "'"))


def fenced(text: str) -> str:
    """A code block of Markdown, which no run of backticks ends."""
    return "```sql\n" + re.sub(r"`(?=`)", f"`{PARTED}", text) + "\n```"


def set_in(text: str) -> str:
    """A code block of plain text; many chats show it as one."""
    return "\n" + "\n".join(f"    {each}" for each in text.split("\n")) + "\n"


PLAIN = Dialect(text=calm, strong=str, code=set_in, link=str, gap="\n\n", turn="\n")
MARKDOWN = Dialect(
    text=escaped,
    strong="**{}**".format,
    code=fenced,
    link=lambda url: f"[the finding]({url})",
    gap="\n\n",
    turn="  \n",  # two blanks: elsewhere a line break alone is none
)
HTML = Dialect(
    text=html.escape,
    strong="<b>{}</b>".format,
    code=lambda text: f"<pre>{html.escape(text)}</pre>",
    link=lambda url: f'<a href="{html.escape(url)}">the finding</a>',
    gap="<br/>\n<br/>\n",
    turn="<br/>\n",
)


def heading(notice: Notice) -> str:
    """The message's title: its first alert and how many more there are, on one plain line that formats nothing."""
    first, *others = _ordered(notice)
    still = "" if notice.news or state(first) == "resolved" else " (still)"
    text = cut(f"{SIGNS[word(first)]} {word(first).upper()}{still}: {title(first)} ({place(first)})", TITLE_CHARACTERS)
    more = f" … and {len(others)} more" if others else ""
    return calm(text).translate(HARMLESS) + more


def kind(notice: Notice) -> Kind:
    """How grave a message is."""
    firing = [alert.finding.severity for alert in notice.alerts if alert.state is State.FIRING]
    words = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}
    return words[max(firing, key=lambda severity: severity.rank)] if firing else "success"


def body(notice: Notice, external_url: str | None, dialect: Dialect, room: Room, *, headed: bool = False) -> str:
    """The message: as much as there is room for, by whole alerts. `headed`: its one alert's title stands above."""
    news, standing = divided(notice)
    ordered = [*news, *standing]
    headed = headed and len(ordered) == 1
    paper = _Paper(ordered, dialect, room)
    for alert in (news or standing)[:DETAILED]:
        if not paper.put(_in_full(alert, notice, external_url, dialect, headed=headed)):
            break
    if not paper.pieces:
        paper.put(_in_full(ordered[0], notice, external_url, dialect, headed=headed, sql=False))
    paper.begin_list()
    for alert in ordered[len(paper.pieces) :][:LISTED]:
        if not paper.put(_line(alert, dialect)):
            break
    return paper.text()


class _Paper:
    """Takes one piece an alert while there is room for it and for the tail that counts the rest."""

    def __init__(self, ordered: Sequence[Alert], dialect: Dialect, room: Room) -> None:
        self.pieces: list[str] = []
        self._ordered, self._dialect, self._room = ordered, dialect, room
        self._gap, self._next_gap, self._spent = "", dialect.gap, 0

    def put(self, piece: str) -> bool:
        last = len(self.pieces) + 1 == len(self._ordered)
        size = self._room.size(self._gap + piece)
        if self._spent + size + (0 if last else TAIL_CHARACTERS) > self._room.characters:
            return False
        self.pieces.append(self._gap + piece)
        self._spent += size
        self._gap = self._next_gap
        return True

    def begin_list(self) -> None:
        """From here on each piece is a line."""
        self._next_gap = self._dialect.turn

    def text(self) -> str:
        """Give all pieces and the tail; should they not fit after all, those at the end give way."""
        while self.pieces:
            rest = self._ordered[len(self.pieces) :]
            tail = self._dialect.gap + self._dialect.text(f"… and {len(rest)} more ({tally(rest)})") if rest else ""
            text = "".join(self.pieces) + tail
            if self._room.holds(text):
                return text
            self.pieces.pop()
        return _cramped(self._ordered, self._dialect, self._room)


def trimmed(text: str, dialect: Dialect, room: Room) -> str:
    """A text that is already in the chat's words, by as many whole lines as there is room for."""
    lines = (html.escape(text) if dialect is HTML else text).split("\n")

    def shown(kept: int) -> str:
        more = [f"… and {len(lines) - kept} more lines"] if kept < len(lines) else []
        return ("<br/>\n" if dialect is HTML else "\n").join([*lines[:kept], *more])

    kept = bisect_left(range(1, len(lines) + 1), x=True, key=lambda kept: not room.holds(shown(kept)))
    return shown(kept) if kept else cut(lines[0], max(room.characters // 2, 1))


def cut(text: str, characters: int) -> str:
    """The text, or as much of its beginning as there is room for."""
    return text if len(text) <= characters else text[: max(characters - 1, 0)] + "…"


def _cramped(ordered: Sequence[Alert], dialect: Dialect, room: Room) -> str:
    """Where not even a line fits: the beginning of the first one's."""
    first, *others = ordered
    more = f" … and {len(others)} more" if others else ""
    said = f"{word(first).upper()}: {title(first)} ({place(first)})"
    for characters in range(min(len(said), room.characters), 0, -1):
        text = dialect.text(cut(said, characters) + more)
        if room.size(text) <= room.characters:
            return text
    return "…"


def _ordered(notice: Notice) -> list[Alert]:
    news, standing = divided(notice)
    return [*news, *standing]


def _in_full(
    alert: Alert, notice: Notice, external_url: str | None, dialect: Dialect, *, headed: bool, sql: bool = True
) -> str:
    finding, text = alert.finding, dialect.text
    parts = [] if headed else [dialect.strong(text(cut(_head(alert), NAME_CHARACTERS)))]
    parts.append(text(cut(f"{place(alert)} · {line(finding.subject)}", NAME_CHARACTERS)))
    parts.append(text(cut(plain(finding.summary), PROSE_CHARACTERS)).replace("\n", dialect.turn))
    if alert.state is State.FIRING:
        parts += _remedy(alert, dialect, sql=sql)
    parts.append(_foot(alert, notice, external_url, dialect))
    return dialect.turn.join(parts)


def _remedy(alert: Alert, dialect: Dialect, *, sql: bool) -> Iterator[str]:
    """The SQL whole or not at all: somebody would run half of it."""
    remedy = alert.finding.remedy
    statements = "\n".join(map(terminated, remedy.sql))
    if statements and sql and len(statements) <= SQL_CHARACTERS:
        yield dialect.text("What to do:")
        yield dialect.code(statements)
    elif statements:
        yield dialect.text("What to do: the SQL is too long for here")
    if remedy.caution:
        yield dialect.text(cut(f"Mind: {plain(remedy.caution)}", PROSE_CHARACTERS)).replace("\n", dialect.turn)


def _foot(alert: Alert, notice: Notice, external_url: str | None, dialect: Dialect) -> str:
    over = alert.state is State.RESOLVED
    how_long = ending(alert) if over else standing_for(alert, notice.created_at)
    link = page(external_url, alert)
    parts = [dialect.text(cut(f"{line(alert.finding.rule)} · {how_long}", NAME_CHARACTERS))]
    return " · ".join([*parts, dialect.link(link)] if link else parts)


def _line(alert: Alert, dialect: Dialect) -> str:
    return dialect.text(cut(f"{_head(alert)} — {place(alert)} · {line(alert.finding.subject)}", NAME_CHARACTERS))


def _head(alert: Alert) -> str:
    return f"{SIGNS[word(alert)]} {word(alert).upper()}: {title(alert)}"
