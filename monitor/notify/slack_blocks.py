"""A Slack message about alerts, within every limit of Block Kit: the worst in full, others by a line, the rest counted.

slack_sdk checks the blocks as they are built. Imported only when something is sent: slack_sdk is heavy.
"""

import re
from collections.abc import Iterator, Sequence

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
from monitor.notify.wording import line, page, place, plain, state, tally, terminated, title, worst_first

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
DETAIL_CHARACTERS = 7000
LISTED_CHARACTERS = 4500
DETAIL_BLOCKS = 40  # of 50; the rest is for the list and its end
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
SIGNS = {"critical": "\U0001f534", "warning": "\U0001f7e0", "info": "\U0001f535", "resolved": "\U0001f7e2"}


def fallback(alerts: Sequence[Alert]) -> str:
    """What notifications and clients without Block Kit show."""
    first, *others = worst_first(alerts)
    more = f" … and {len(others)} more" if others else ""
    return escaped(f"{_heading(first)} ({place(first)})", LINE_CHARACTERS) + more


def message(alerts: Sequence[Alert], external_url: str | None) -> list[Block]:
    """The blocks of one message."""
    ordered = worst_first(alerts)
    blocks: list[Block] = []
    spent, shown = 0, 0
    for alert in ordered:
        block = list(_in_full(alert, external_url))
        size = len(str([one.to_dict() for one in block]))
        if shown and (spent + size > DETAIL_CHARACTERS or len(blocks) + len(block) >= DETAIL_BLOCKS):
            break
        blocks += [DividerBlock(), *block] if blocks else block
        spent, shown = spent + size, shown + 1
    if shown < len(ordered):
        blocks += [DividerBlock(), *_listed(ordered[shown:], external_url)]
    return blocks


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


def _in_full(alert: Alert, external_url: str | None) -> Iterator[Block]:
    remedy = alert.finding.remedy
    yield HeaderBlock(text=PlainTextObject(text=fitted(_heading(alert), HEADER_CHARACTERS), emoji=False))
    yield _section(_prose(alert))
    if alert.state is State.FIRING and remedy.sql:
        yield _section(_sql(remedy.sql))
    if alert.state is State.FIRING and remedy.caution:
        yield _section(f"*Mind:* {escaped(remedy.caution, PROSE_CHARACTERS)}")
    yield ContextBlock(elements=[_markdown(_foot(alert, external_url))])


def _heading(alert: Alert) -> str:
    return f"{SIGNS[state(alert)]} {state(alert).upper()}: {title(alert)}"


def _prose(alert: Alert) -> str:
    finding = alert.finding
    where = f"*{escaped(place(alert), NAME_CHARACTERS)}* · {escaped(line(finding.subject), NAME_CHARACTERS)}"
    lines = [where, escaped(finding.summary, PROSE_CHARACTERS)]
    if alert.state is State.FIRING:
        lines.append(f"*Why it matters:* {escaped(finding.impact, PROSE_CHARACTERS)}")
    return "\n".join(lines)


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


def _listed(alerts: Sequence[Alert], external_url: str | None) -> Iterator[Block]:
    """One line each, as many as there is room for, then how many more there are."""
    room, shown, lines = LISTED_CHARACTERS, 0, list[str]()
    for alert in alerts:
        one = _line(alert, external_url)
        room -= width(one)
        if room < 0:
            break
        if width("\n".join([*lines, one])) > TEXT_CHARACTERS:
            yield _section("\n".join(lines))
            lines = []
        lines.append(one)
        shown += 1
    if lines:
        yield _section("\n".join(lines))
    if shown < len(alerts):
        yield _section(f"… and {len(alerts) - shown} more ({tally(alerts[shown:])})")


def _line(alert: Alert, external_url: str | None) -> str:
    text = escaped(f"{_heading(alert)} — {place(alert)} · {line(alert.finding.subject)}", LINE_CHARACTERS)
    return f"{text} {_link(alert, external_url)}".rstrip()


def _section(text: str) -> SectionBlock:
    return SectionBlock(text=_markdown(text))


def _markdown(text: str) -> MarkdownTextObject:
    # Verbatim: names that look like links or channels stay names.
    return MarkdownTextObject(text=text, verbatim=True)
