"""What sqlcommenter writes beside a statement: which route, controller, action or application asked.

Its form is a comment of pairs, `/*action='show',route='%2Frooms%2F%3Aid'*/`, each value URL-encoded. The server keeps
the comment of the first call only, so it is a hint. Of `traceparent` nothing but its presence is kept; a value that may
hold an id or a person's data is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

KEYS = ("application", "framework", "route", "controller", "action")
COMMENTS = 8
"""How many comments of a statement are looked at."""

# Strings and quoted names are passed over, so that nothing inside them is taken for a comment.
_LEXEMES = re.compile(
    r"'(?:[^']|'')*'" r'|"(?:[^"]|"")*"' r"|(?P<quote>\$(?:[A-Za-z_]\w*)?\$)(?s:.*?)(?P=quote)"
    r"|--[^\n]*" r"|/\*(?P<comment>(?:(?!\*/|/\*)(?s:.))*)\*/"
)  # fmt: skip
_PAIR = re.compile(r"(?:^|,)\s*([A-Za-z_][\w%-]{0,40})\s*=\s*'((?:[^'\\]|\\.){0,400})'")
_PLAIN = re.compile(r"[\w ./:#<>{}()*+-]{1,80}\Z", re.ASCII)
# A number where a route has a parameter, a long number, a hash or UUID: somebody's, not the program's.
_SOMEBODYS = re.compile(
    r"(?:^|/)\d+(?:/|$)|\d{4}|(?<![A-Za-z0-9])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}|:[^/]*\d{3}", re.ASCII
)


def tags(sql: str) -> tuple[str, ...]:
    """Give what is known and harmless, as `key=value`, in a fixed order; each key once, the first counts."""
    found: dict[str, str] = {}
    for comment in _comments(sql):
        for key, value in _PAIR.findall(comment):
            found.setdefault(unquote(key).lower(), value)
    kept = [f"{key}={value}" for key in KEYS if (value := _plain(found.get(key, "")))]
    return (*kept, "traceparent") if "traceparent" in found else tuple(kept)


def _comments(sql: str) -> Iterator[str]:
    if "/*" not in sql:
        return
    left = COMMENTS
    for lexeme in _LEXEMES.finditer(sql):
        if lexeme["comment"] is not None:
            yield lexeme["comment"]
            left -= 1
            if not left:
                return


def _plain(value: str) -> str:
    """Decode a value; "" when it is no plain name."""
    text = unquote(value.replace("\\'", "'"))
    return text if _PLAIN.match(text) and not _SOMEBODYS.search(text) else ""
