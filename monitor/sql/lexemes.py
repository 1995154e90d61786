"""SQL cut into its lexemes, as PostgreSQL's own scanner would, also where a text was cut off or is no SQL at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple


class Lexeme(Enum):
    """What a lexeme is; OPEN is a string or comment that never ends."""

    WORD = auto()
    NAME = auto()
    TEXT = auto()
    BITS = auto()
    NUMBER = auto()
    PARAMETER = auto()
    OPERATOR = auto()
    MARK = auto()
    LINE_COMMENT = auto()
    BLOCK_COMMENT = auto()
    OPEN = auto()


class Token(NamedTuple):
    """One lexeme: of a word its lower case, of a string what is between its quotes, else as it is written."""

    kind: Lexeme
    text: str
    start: int
    end: int


_TOKENS = re.compile(
    r"\s+"
    r"|(?P<WORD>(?![eEbBxXnN]'|[uU]&['\"])[^\W\d][\w$]*)"
    r"|(?P<MARK>[(),;.\[\]]|::?)"
    r"|(?P<NUMBER>0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)"
    r"|(?P<PARAMETER>\$\d+)"
    r"|(?P<prefix>[uU]&|[eEbBxXnN])?'(?P<TEXT>)"
    r'|(?:[uU]&)?"(?P<NAME>[^"]*(?:""[^"]*)*)"?'
    r"|--(?P<LINE_COMMENT>[^\n\r]*)"
    r"|/\*(?P<BLOCK_COMMENT>)"
    r"|(?P<OPERATOR>(?:(?!--|/\*)[-+*/<>=~!@#%^&|`?])+)"
    r"|\$(?P<tag>(?:[^\W\d]\w*)?)\$"
    r"|(?P<other>.)",
    re.DOTALL,
)
_PLAIN_END = re.compile(r"[^']*(?:''[^']*)*'")
_ESCAPED_END = re.compile(r"[^'\\]*(?:(?:''|\\.)[^'\\]*)*'", re.DOTALL)
_COMMENT_MARKS = re.compile(r"/\*|\*/")
_KINDS = {kind.name: kind for kind in Lexeme}


def lexemes(sql: str) -> Iterator[Token]:
    """Give one lexeme after the other, white space left out; never fails."""
    at, length = 0, len(sql)
    match_at = _TOKENS.match
    while at < length:
        found = match_at(sql, at)
        if found is None:  # cannot be: the last alternative takes any character
            return
        group = found.lastgroup
        at = found.end()
        if group is None:
            continue
        if group == "WORD":
            yield Token(Lexeme.WORD, found["WORD"].lower(), found.start(), at)
        elif group == "other":
            yield Token(Lexeme.MARK, found["other"], found.start(), at)
        elif group in _LONG:
            token = _long(sql, found)
            at = token.end
            yield token
        else:
            yield Token(_KINDS[group], found[group], found.start(), at)


_LONG = frozenset({"TEXT", "BLOCK_COMMENT", "tag"})


def _long(sql: str, found: re.Match[str]) -> Token:
    """Find the end of what a mark began: a string, a dollar-quoted one, a comment (they nest)."""
    start, at = found.start(), found.end()
    if found.lastgroup == "BLOCK_COMMENT":
        end = _end_of_comment(sql, at)
        return Token(Lexeme.BLOCK_COMMENT if end else Lexeme.OPEN, sql[at : end or len(sql)], start, end or len(sql))
    if found.lastgroup == "tag":
        closing = f"${found['tag']}$"
        end = sql.find(closing, at)
        kind = Lexeme.OPEN if end < 0 else Lexeme.TEXT
        return Token(kind, sql[at:end] if end >= 0 else sql[at:], start, end + len(closing) if end >= 0 else len(sql))
    prefix = (found["prefix"] or "").lower()
    ended = (_ESCAPED_END if prefix == "e" else _PLAIN_END).match(sql, at)
    if ended is None:
        return Token(Lexeme.OPEN, sql[at:], start, len(sql))
    return Token(Lexeme.BITS if prefix in {"b", "x"} else Lexeme.TEXT, sql[at : ended.end() - 1], start, ended.end())


def _end_of_comment(sql: str, at: int) -> int:
    """Give where a comment ends whose opening mark ends at `at`; 0 when it does not."""
    depth = 1
    while depth:
        mark = _COMMENT_MARKS.search(sql, at)
        if mark is None:
            return 0
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at
