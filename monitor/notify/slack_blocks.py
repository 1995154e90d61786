"""Slack messages about alerts, within every limit of Block Kit: news in full, others by a line, the rest counted.

slack_sdk checks the blocks as they are built. Imported only when something is sent: slack_sdk is heavy.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from monitor.model import Alert, State
from monitor.notice import Notice
from monitor.notify.wording import (
    SIGNS,
    divided,
    ending,
    kinds,
    line,
    longest,
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

# Limits of Slack; its characters are counted as UTF-16 does.
HEADER_CHARACTERS = 150
TEXT_CHARACTERS = 3000
# Ours, below them. Documented for a whole message is 40,000, but what Slack takes of all blocks together is about
# 13,200 (slackapi/bolt-js issue 2509).
NAME_CHARACTERS = 200
PROSE_CHARACTERS = 600
SQL_CHARACTERS = 2000
LINE_CHARACTERS = 300
LINK_CHARACTERS = 500
SINCE_CHARACTERS = 150
KIND_CHARACTERS = 120
KINDS = 8
BLOCKS_CHARACTERS = 13000  # as JSON; so are the next three
DETAIL_CHARACTERS = 7000
LISTED_CHARACTERS = 3600
COUNTED_CHARACTERS = 1800
DETAIL_BLOCKS = 40  # of 50; the rest is for the list and its end
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
STILL = "Still firing"


def fallback(notice: Notice) -> str:
    """What notifications and clients without Block Kit show."""
    news, standing = divided(notice)
    first, *others = [*news, *standing]
    what = _heading(first) if news else f"{_still(standing, notice.created_at)}: {title(first)}"
    more = f" … and {len(others)} more" if others else ""
    return escaped(f"{what} ({place(first)})", LINE_CHARACTERS) + more


def message(notice: Notice, external_url: str | None) -> list[Block]:
    """The blocks of one message: news in full while there is room, then by lines; a line for what stands; the rest."""
    news, standing = divided(notice)
    blocks = _detailed(news, external_url)
    if not news:
        blocks.append(header(_still(standing, notice.created_at)))
    shown = sum(isinstance(block, ContextBlock) for block in blocks)
    room = min(LISTED_CHARACTERS, BLOCKS_CHARACTERS - COUNTED_CHARACTERS - weight(blocks))
    lines, listed = in_sections((line_of(alert, external_url) for alert in news[shown:]), room)
    still = (line_of(alert, external_url, standing_for(alert, notice.created_at)) for alert in standing)
    stand, kept = in_sections(still, room - weight(lines), f"*{STILL}:*" if news else "")
    rest = [*news[shown + listed :], *standing[kept:]]
    more = [*lines, *stand, *([section(_counted(rest))] if rest else [])]
    return [*blocks, DividerBlock(), *more] if more else blocks


def about(alert: Alert, external_url: str | None) -> list[Block]:
    """The blocks of a message about one finding."""
    return list(_in_full(alert, external_url))


def remark(alert: Alert, what: str) -> tuple[str, list[Block]]:
    """A reply in a finding's thread: its text for notifications, and its blocks."""
    said = escaped(f"{SIGNS[word(alert)]} {what}", PROSE_CHARACTERS)
    return said, [section(said)]


def headline(alert: Alert) -> str:
    """What notifications show of a message about one finding."""
    return escaped(f"{_heading(alert)} ({place(alert)})", LINE_CHARACTERS)


def escaped(text: str, limit: int) -> str:
    """Text that Slack shows as it stands: no mention, no link, and no code begun by a backtick."""
    return fitted([ENTITIES.get(one, one) for one in plain(text).replace("`", "'")], limit)


def code(text: str) -> str:
    """A code block. A run of backticks would end it, so a zero-width space parts them."""
    shown = re.sub(r"`(?=`)", "`\u200b", plain(text))
    return "```\n" + "".join(ENTITIES.get(one, one) for one in shown) + "\n```"


def fitted(pieces: Sequence[str], limit: int) -> str:
    """The pieces joined; where they are too long, as many as fit, and how many more there are."""
    if width("".join(pieces)) <= limit:
        return "".join(pieces)
    room = limit - len(f"… and {len(pieces)} more characters")
    kept = 0
    while kept < len(pieces) and width(pieces[kept]) <= room:
        room -= width(pieces[kept])
        kept += 1
    return "".join(pieces[:kept]) + f"… and {len(pieces) - kept} more characters"


def width(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def weight(blocks: Sequence[Block]) -> int:
    """How long the blocks are as JSON."""
    return width(json.dumps([block.to_dict() for block in blocks], ensure_ascii=False)) if blocks else 0


def _detailed(alerts: Sequence[Alert], external_url: str | None) -> list[Block]:
    """As many in full as there is room for, and always the first."""
    blocks: list[Block] = []
    spent = 0
    for alert in alerts:
        block = about(alert, external_url)
        spent += weight(block)
        if blocks and (spent > DETAIL_CHARACTERS or len(blocks) + len(block) >= DETAIL_BLOCKS):
            break
        blocks += [DividerBlock(), *block] if blocks else block
    return blocks


def _in_full(alert: Alert, external_url: str | None) -> Iterator[Block]:
    remedy = alert.finding.remedy
    yield header(_heading(alert))
    yield section(_prose(alert))
    if alert.state is State.FIRING and remedy.sql:
        yield section(_sql(remedy.sql))
    if alert.state is State.FIRING and remedy.caution:
        yield section(f"*Mind:* {escaped(remedy.caution, PROSE_CHARACTERS)}")
    yield ContextBlock(elements=[_markdown(_foot(alert, external_url))])


def _heading(alert: Alert) -> str:
    return f"{SIGNS[word(alert)]} {word(alert).upper()}: {title(alert)}"


def _prose(alert: Alert) -> str:
    finding = alert.finding
    where = f"*{escaped(place(alert), NAME_CHARACTERS)}* · {escaped(line(finding.subject), NAME_CHARACTERS)}"
    summary = escaped(finding.summary, PROSE_CHARACTERS)
    if alert.state is State.RESOLVED:
        return f"{where}\nIt {escaped(ending(alert), PROSE_CHARACTERS)}.\n*It was:* {summary}"
    return f"{where}\n{summary}\n*Why it matters:* {escaped(finding.impact, PROSE_CHARACTERS)}"


def _sql(statements: Sequence[str]) -> str:
    """The remedy by whole statements: somebody would run half a one."""
    kept = 0
    while kept < len(statements) and width(_block(statements[: kept + 1])) <= SQL_CHARACTERS:
        kept += 1
    left = len(statements) - kept
    more = f"\n_… and {left} more statement{'s' * (left > 1)}, too long for here_" if left else ""
    return "*What to do:*" + (f"\n{_block(statements[:kept])}" if kept else "") + more


def _block(statements: Sequence[str]) -> str:
    return code("\n".join(map(terminated, statements)))


def _foot(alert: Alert, external_url: str | None) -> str:
    times = f"since {alert.starts_at:%Y-%m-%d %H:%M} UTC"
    if alert.state is State.RESOLVED and alert.ends_at is not None:
        times += f" until {alert.ends_at:%Y-%m-%d %H:%M} UTC"
    parts = [escaped(line(alert.finding.rule), NAME_CHARACTERS), times, _link(alert, external_url)]
    return " · ".join(filter(None, parts))


def _link(alert: Alert, external_url: str | None) -> str:
    link = escaped(page(external_url, alert) or "", LINK_CHARACTERS + 1)
    return f"<{link}|the finding>" if 0 < width(link) <= LINK_CHARACTERS else ""


def in_sections(lines: Iterable[str], room: int, title: str = "") -> tuple[list[Block], int]:
    """Sections with as many lines as there is room for, below a title; and how many lines they hold."""
    sections, shown = [[title] if title else []], 0
    for one in lines:
        room -= width(json.dumps(one, ensure_ascii=False)) + len(title)
        if room < 0:
            break
        if width("\n".join([*sections[-1], one])) > TEXT_CHARACTERS:
            sections.append([])
        sections[-1].append(one)
        shown, title = shown + 1, ""
    return [section("\n".join(each)) for each in sections] if shown else [], shown


def _counted(alerts: Sequence[Alert]) -> str:
    """How many more there are, and by rule and target, the most first."""
    found = kinds(alerts)
    lines = [f"• {count} x {escaped(kind, KIND_CHARACTERS)}" for count, kind in found[:KINDS]]
    left = len(found) - len(lines)
    more = [f"• and {left} other{'s' * (left > 1)}"] if left else []
    return "\n".join([f"… and {len(alerts)} more ({tally(alerts)})", *lines, *more])


def _still(standing: Sequence[Alert], now: datetime) -> str:
    return f"{SIGNS[state(standing[0])]} {STILL} for {longest(standing, now)}"


def line_of(alert: Alert, external_url: str | None, since: str = "") -> str:
    what = f"{_heading(alert)} — {place(alert)} · {line(alert.finding.subject)}"
    said = since or (ending(alert) if alert.state is State.RESOLVED else "")
    text = ", ".join(filter(None, (escaped(what, LINE_CHARACTERS), escaped(said, SINCE_CHARACTERS))))
    return f"{text} {_link(alert, external_url)}".rstrip()


def header(text: str) -> HeaderBlock:
    return HeaderBlock(text=PlainTextObject(text=fitted(text, HEADER_CHARACTERS), emoji=False))


def section(text: str) -> SectionBlock:
    return SectionBlock(text=_markdown(text))


def _markdown(text: str) -> MarkdownTextObject:
    # Verbatim: names that look like links or channels stay names.
    return MarkdownTextObject(text=text, verbatim=True)
