"""What inputs put behind a constant and programs do not write: waits, errors on purpose, questions about the server.

Each shape alone is telling; those that programs write too are told by `sqlattack` and `sqltautology`, with more care.
"""

from __future__ import annotations

import re
from typing import Final

from monitor.sql.skeleton import BROKEN_OUT, LITERAL, Text

_ADDED = rf"{BROKEN_OUT}(?:and|or) (?:not )?(?:\( ){{0,6}}"
_SLEEP = r"(?:pg_catalog \. )?pg_sleep(?:_for|_until)? \("
_FROM = re.compile(r"\b(?:from|into|update) (?!pg_|information_schema)(?:\w+ \. )*\w+")
_SELF = r"(?:version \( \)|current_user|session_user|current_database \( \))"
_WHOLE = r"(?:int|integer|bigint|numeric)\b"
_UNBOUND = r"select [\w.: ]+? from (?:\w+ \. )*\w+ (?:limit L\w+ )"

_WAITS = (
    re.compile(rf"\b(?:order by|limit|offset) (?:[^;]{{0,400}}? )?{_SLEEP}"),
    re.compile(rf"{LITERAL} [-+*/] (?:\( ){{0,6}}select (?:[^;]{{0,400}}? )?{_SLEEP}"),
    re.compile(rf"{_ADDED}(?:L\w+ [=<>]+!? )?(?:\( ){{0,6}}select (?:[^;]{{0,400}}? )?{_SLEEP}"),
    re.compile(
        rf"{_ADDED}(?:L\w+ [=<>]+!? )?(?:\( ){{0,6}}select count \( \* \) from (?:generate_series \( L\w+ , Ln\d+ \)|"
        r"(?:pg_catalog \. )?pg_\w+ (?:as )?\w+ (?:,|cross join) |"
        r"information_schema \. \w+ (?:as )?\w+ (?:,|cross join) )"
    ),
)
_REPEATED = re.compile(rf"{_ADDED}[^;]{{0,400}}?\brepeat \( L\w+ , Ln(?P<times>\d+) \)")
LONG: Final = 1_000_000
"""Nobody repeats a text so often in a condition, but to make the server busy."""

_ERRS = (
    re.compile(rf"\bcast \( (?:\( ){{0,6}}(?:select )?{_SELF} (?:\) )*as {_WHOLE}"),
    re.compile(rf"\b{_SELF} (?:\) )*:: {_WHOLE}"),
    re.compile(rf"{_ADDED}L\w+ =!? cast \( (?:\( ){{0,6}}(?:select |chr \(|version \()"),
    re.compile(rf"{_ADDED}L\w+ (?::: \w+ )?=! \( {_UNBOUND}"),
    re.compile(rf"{_ADDED}L\w+ =! \( select L\w+ / \( case when "),
    re.compile(rf"{LITERAL} / \( select case when "),
)
_ASKS = (
    re.compile(rf"{_ADDED}(?:(?:\( ){{0,6}}select |substr(?:ing)? \( )?version \( \)"),
    re.compile(rf"{_ADDED}(?:\( ){{0,6}}select current_user \) [=l~]"),
    re.compile(rf"{_ADDED}(?:left|right|substr|substring|ascii|get_byte|length) \( (?:[^;()]*? )?\( {_UNBOUND}"),
    re.compile(rf"{_ADDED}[^;]{{0,400}}?\bdblink \("),
    re.compile(rf"{_ADDED}[^;]{{0,400}}?\( select \w+ from information_schema \. \w+ limit "),
    re.compile(rf"\border by (?:\( ){{0,6}}{_UNBOUND}"),
    re.compile(r"\border by (?:\( ){0,6}case when (?:\( ){0,6}select (?:substr|substring|ascii) \("),
    re.compile(r"\border by (?:\( ){0,6}select L\w+ / L\w+ from "),
    re.compile(r"\bascii \( substr(?:ing)? \( (?:\( ){0,6}(?:current_user|session_user|version \( \))"),
)
_SETTING = re.compile(rf"{_ADDED}current_setting \( L\w(?P<name>\d+) \)")
_SECRET_SETTINGS = frozenset({"is_superuser", "data_directory", "config_file", "hba_file"})
_PASTED = re.compile(rf"L\w(?P<begin>\d+) \|\| {_SELF} \|\| L\w(?P<end>\d+) ")
_GIVEN = re.compile(r"\b(?:where|values|set) ")

_CONTINUES = r"(?:where|and|or|limit|offset|order by|group by)\b"
_OF_THE_REST = re.compile(rf"\s*{_CONTINUES}", re.IGNORECASE)
"""A comment's begin that is the rest of a statement."""
_QUOTED_REST = re.compile(rf"%?'\)*\s+{_CONTINUES}", re.IGNORECASE)
_CLOSED_REST = re.compile(r"\s*\)+\s*(?:(?:and|or|order|limit|group)\b|[;,]|\Z)", re.IGNORECASE)
_ENDED = re.compile(rf"{LITERAL} (?:\) )*\Z")
_ENDED_TWICE = re.compile(rf"{LITERAL} (?:\) )*; \Z")
_OF_ALL_ROWS = re.compile(r"\A(?:update|delete from) (?!.*\bwhere ).*" + LITERAL)
_SECOND_RUIN = re.compile(
    r"; (?:drop (?:table|schema|view)|truncate(?: table)?) (?:if exists )?(?:\w+ \. )?\w+ (?:and|or|limit|order by) |"
    r"; delete from (?:\w+ \. )?\w+ where L[zt](?P<same>\d+) =! L[zt](?P=same)\b"
)
_ROWS = re.compile(r"(?:\( ){0,6}(?:select|insert|update|delete|with)\b")


def waits(text: Text) -> bool:
    """Tell a wait where nobody waits: in a condition that was added, in an order or a limit."""
    if not _FROM.search(text.skeleton):
        return False
    return any(shape.search(text.skeleton) for shape in _WAITS) or any(
        text.values[int(found["times"])].isdigit() and int(text.values[int(found["times"])]) >= LONG
        for found in _REPEATED.finditer(text.skeleton)
    )


def pries(text: Text) -> bool:
    """Tell questions about the server, or rows without a link to the rest, that an error or an answer gives away."""
    if not _FROM.search(text.skeleton):
        return False
    shapes = any(shape.search(text.skeleton) for shape in (*_ERRS, *_ASKS))
    return shapes or _asks_settings(text) or _pasted(text)


def _asks_settings(text: Text) -> bool:
    found = _SETTING.search(text.skeleton)
    return found is not None and text.values[int(found["name"])] in _SECRET_SETTINGS


def _pasted(text: Text) -> bool:
    """Tell what the server says of itself between the halves of a constant, one of them empty."""
    found = _PASTED.search(text.skeleton)
    if found is None or not _GIVEN.search(text.skeleton, 0, found.start()):
        return False
    return "" in {text.values[int(found["begin"])], text.values[int(found["end"])]}


def hides(text: Text) -> bool:
    """Tell a comment that is the statement's rest: behind a quote, a parenthesis, a semicolon, or its condition."""
    if not _ROWS.match(text.skeleton):
        return False
    if any(_QUOTED_REST.match(remark) for remark in text.remarks):
        return True
    if text.comment is None:
        return False
    rest = text.comment.text
    if _CLOSED_REST.match(rest) and _ENDED.search(text.skeleton) and not text.depth(len(text.skeleton)):
        return True
    if text.adjacent and _ENDED_TWICE.search(text.skeleton) and _OF_THE_REST.match(rest):
        return text.tokens[-2].end == text.tokens[-1].start
    return bool(_OF_ALL_ROWS.match(text.skeleton) and re.match(r"\s*where\b", rest, re.IGNORECASE))


def ruins(text: Text) -> bool:
    """Tell a second statement that goes on as the first one would, or that deletes by a constant condition."""
    if not _ROWS.match(text.skeleton):
        return False
    goes_on = text.comment is not None and _OF_THE_REST.match(text.comment.text) is not None
    return bool(_SECOND_RUIN.search(text.skeleton) or (goes_on and re.search(r"; drop ", text.skeleton)))
