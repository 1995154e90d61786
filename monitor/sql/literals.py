"""The constants of a statement's text: of which class each is, and a salted hash by which two can be told apart.

The constants themselves are not kept. The salt is this process's own: a hash cannot be looked up anywhere, and means
nothing after a restart. Works on lexemes, so on texts that were cut off as well. About 20 us a statement.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from monitor.sql.lexemes import Lexeme, lexemes


class LiteralKind(StrEnum):
    """The class of a constant, as it is spelled."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    UUID = "uuid"
    BOOLEAN = "boolean"
    NULL = "null"


class Literal(NamedTuple):
    """One constant: its class and hash; `varies` is False where a difference says nothing.

    So it is for null, true and false, after LIMIT, OFFSET and FETCH, and for all but the first of a list's elements.
    """

    kind: LiteralKind
    digest: int
    varies: bool = True
    takes: int = 0
    """So many different ones it takes to be no program's own: names of states, digits; 0: as few as anybody likes."""


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How one statement's text gives its values: as constants, as parameters (`$1`), both or neither."""

    literals: tuple[Literal, ...] = ()
    bound: bool = False

    @property
    def vector(self) -> int | None:
        """One hash for all its constants that could vary; None: it has none."""
        parts = tuple(each.digest for each in self.literals if each.varies)
        return hash(parts) if parts else None

    @property
    def varying(self) -> Mapping[int, int]:
        """Give the hashes of the constants that could vary, by place, and how many different ones each takes."""
        varying = [each for each in self.literals if each.varies]
        return {hash((place, each.digest)): each.takes for place, each in enumerate(varying)}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of its constants, each once."""
        return tuple(sorted({str(each.kind) for each in self.literals}))


SALT: Final = secrets.token_bytes(32)

# In bulk what is no constant, so that Python sees few pieces: of a word with a digit in it, the rest of it.
_PIECES = re.compile(
    r"(?P<run>[^'\"$\d/-]+)"
    r"|(?P<number>(?<![\w$])\d[\w.]*)"
    r"|(?P<escaped>(?<=[eE])(?<![\w$][eE])'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'?)"
    r"|(?P<text>'[^']*(?:''[^']*)*'?)"
    r"|(?P<parameter>(?<![\w$])\$\d+)"
    r"|(?P<dollars>(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))"
    r"|[\d$][\w$]*|\"[^\"]*\"?|--[^\n]*|/\*(?:[^*]|\*(?!/))*\*/|.",
    re.DOTALL,
)
_CONSTANT_WORDS = re.compile(r"(?:\bis\s+(?:not\s+)?|\bnot\s+)?\b(?:(null)|true|false)\b", re.IGNORECASE)
_WORDS_OF_A_TEST = re.compile(r"(?:is|not)\s", re.IGNORECASE)
_BOUNDS = ("limit", "offset", "first", "next")
_LISTS = (" in", "\nin", "\tin", ")in", "array")
_BETWEEN = re.compile(r"[\s,+-]*(?:::\s*[\w ]+)?[\s,+-]*\Z")
_DATE = re.compile(r"'\s*[12]\d{3}-[01]\d-[0-3]\d")
_WORD = re.compile(r"'(?=.{0,32}'\Z)(?:[^\W\d_]+(?:[ _./:-][^\W\d_]+){0,3})?'\Z")
_DIGIT = re.compile(r"'?\d'?\Z")
WORDS_TAKE, DIGITS_TAKE = 20, 8
_UUID = re.compile(r"'[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}'\Z", re.IGNORECASE)


def spelling(sql: str, *, cut: bool = False) -> Spelling:
    """Read one statement; of a text that was cut off, the last constant is left out: it may not be whole."""
    found: list[Literal] = []
    bound, listed, before, end = False, False, "", -1
    for piece in _PIECES.finditer(sql):
        group = piece.lastgroup
        if group == "run":
            before = piece[0]
            listed = listed and _BETWEEN.match(before) is not None
            found += _words(before)
        elif group in _CONSTANTS:
            text, end = piece[0], piece.end()
            context = before.rstrip(" \t\n\r([+").lower()
            varies = not listed and not context.endswith(_BOUNDS)
            found.append(Literal(_kind(text), _hashed(text), varies, _takes(text)))
            listed = listed or (context.endswith(_LISTS) and before.rstrip().endswith(("(", "[")))
            before = ""
        elif group == "parameter":
            bound, before = True, ""
    if cut and end == len(sql):
        found.pop()
    return Spelling(literals=tuple(found), bound=bound)


_CONSTANTS = frozenset({"number", "text", "escaped", "tag", "dollars"})


def literals(sql: str, *, cut: bool = False) -> tuple[Literal, ...]:
    """Give the constants of one statement, in their order."""
    return spelling(sql, cut=cut).literals


def same_text(sql: bytes) -> bytes:
    """Give a salted hash of a whole text."""
    return blake2b(sql, digest_size=16, key=SALT).digest()


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=SALT).digest(), "big")


def _kind(text: str) -> LiteralKind:
    if text[0].isdigit():
        return LiteralKind.NUMBER
    if _DATE.match(text):
        return LiteralKind.DATE
    return LiteralKind.UUID if _UUID.match(text) else LiteralKind.TEXT


def _takes(text: str) -> int:
    """Say how many different constants of this sort are more than programs name themselves: states, levels."""
    return DIGITS_TAKE if _DIGIT.match(text) else WORDS_TAKE if _WORD.match(text) else 0


def _words(run: str) -> Iterator[Literal]:
    """Give the constants that are words; `is null` and `not null` are tests."""
    folded = run.lower()
    if "null" not in folded and "true" not in folded and "false" not in folded:
        return
    for word in _CONSTANT_WORDS.finditer(run):
        if not _WORDS_OF_A_TEST.match(word[0]):
            kind = LiteralKind.NULL if word[1] else LiteralKind.BOOLEAN
            yield Literal(kind, _hashed(word[0].lower()), varies=False)


_VERB = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*([a-z]+)", re.IGNORECASE)
_MORE = re.compile(r";\s*\S")
ROWS = frozenset({"select", "insert", "update", "delete", "merge", "with", "values"})
_AROUND = frozenset(
    "begin start commit end rollback abort savepoint release set reset discard deallocate".split()  # noqa: SIM905
)


def verb(sql: str) -> str:
    """Give a statement's first word, in lower case; "" when it has none."""
    found = _VERB.match(sql)
    return found[1].lower() if found else ""


def statement(sql: str) -> str | None:
    """Give the one statement on rows of a text, without the transaction's frame around it; None: none, or several."""
    if not _MORE.search(sql):
        return sql if verb(sql) in ROWS else None
    inner = [each for each in statements(sql) if verb(each) not in _AROUND]
    return inner[0] if len(inner) == 1 and verb(inner[0]) in ROWS else None


def statements(sql: str) -> Sequence[str]:
    """Cut a text at the semicolons that end statements."""
    parts, begin, empty = [], 0, True
    for token in lexemes(sql):
        if token.kind is Lexeme.MARK and token.text == ";":
            if not empty:
                parts.append(sql[begin : token.start])
            begin, empty = token.end, True
        elif token.kind not in {Lexeme.LINE_COMMENT, Lexeme.BLOCK_COMMENT}:
            empty = False
    return parts if empty else [*parts, sql[begin:]]
