"""What is posted to Slack about a notice: the built-in blocks, a digest's, or the words of a user's own template.

A template writes Slack's mrkdwn; the texts it is given are escaped, so that only the template itself mentions or links.
"""

import re
from collections.abc import Sequence
from functools import partial

from slack_sdk.models.blocks import Block, DividerBlock

from monitor.notice import Notice
from monitor.notify.slack_blocks import (
    BLOCKS_CHARACTERS,
    ENTITIES,
    LINE_CHARACTERS,
    TEXT_CHARACTERS,
    escaped,
    fallback,
    fitted,
    header,
    in_sections,
    line_of,
    message,
    section,
    weight,
)
from monitor.notify.summary import Summary, since, summary
from monitor.notify.template import BadTemplate, Template, failed

REST_CHARACTERS = 600
"""Kept free for the lists' titles and the end."""


def letter(notice: Notice, external_url: str | None, template: Template | None = None) -> tuple[str, Sequence[Block]]:
    """Give the text for notifications, and the blocks. A template may take a second: not for the event loop."""
    if notice.digest is not None:
        told = summary(notice)
        short, built_in = escaped(told.heading, LINE_CHARACTERS), partial(_digest, told, notice, external_url)
    else:
        short, built_in = fallback(notice), partial(message, notice, external_url)
    if template is None or not template.serves(notice):
        return short, built_in()
    try:
        own = template.write(notice, external_url, safe)
    except BadTemplate as problem:
        return short, [section(escaped(failed(problem), LINE_CHARACTERS)), *built_in()]
    return short, [section(_cut(own))]


def safe(text: str) -> str:
    """Text that Slack shows as it stands."""
    return "".join(ENTITIES.get(one, one) for one in text)


def _cut(text: str) -> str:
    """As much as one section takes; no link and no entity is cut in two."""
    return fitted(re.findall(r"<[^<>\n]*>|&[a-z]+;|.", text, re.DOTALL), TEXT_CHARACTERS)


def _digest(told: Summary, notice: Notice, external_url: str | None) -> list[Block]:
    blocks: list[Block] = [header(told.heading), section(escaped(told.period, LINE_CHARACTERS))]
    left = told.left_out
    for title, alerts in told.lists:
        room = BLOCKS_CHARACTERS - REST_CHARACTERS - weight(blocks)
        lines = (line_of(alert, external_url, since(alert, notice)) for alert in alerts)
        shown, count = in_sections(lines, room, f"*{title}*")
        blocks += [DividerBlock(), *shown] if shown else []
        left += len(alerts) - count
    if left:
        blocks.append(section(f"… and {left} more"))
    return blocks
