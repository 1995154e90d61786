"""A statement's text as its skeleton: its lexemes with one space between them, and letters for its constants.

A constant is `L`, a letter for its sort and a number that equal ones share; an operator without white space around it
ends in `!`. What was made a comment stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from re import compile as pattern

from monitor.sql.lexemes import Lexeme, Token, lexemes


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text's skeleton, and how it ends."""

    sql: str
    skeleton: str
    tokens: Sequence[Token]
    cut: bool = False
    comment: Token | None = None
    """A comment that hides the text's end, on the line of what stands before it."""
    torn: bool = False
    """A remark on the way begins with a quote that once closed a constant."""

    remarks: Sequence[str] = ()
    """All comments to a line's end."""

    @property
    def adjacent(self) -> bool:
        """Tell whether that comment begins right where the last lexeme ends."""
        return self.comment is not None and bool(self.tokens) and self.tokens[-1].end == self.comment.start

    @property
    def values(self) -> Sequence[str]:
        """The constants, by their numbers."""
        return [*dict.fromkeys(each.text for each in self.tokens if each.kind in CONSTANTS)]

    def depth(self, at: int) -> int:
        """Say in how many parentheses a place of the skeleton is."""
        return self.skeleton.count("( ", 0, at) - self.skeleton.count(") ", 0, at)


LITERAL = r"L[nszt]\d+"
BROKEN_OUT = rf"{LITERAL} (?::: \w+ )?(?:\) )*"
"""Where an input's own end may be: behind a constant."""
LEFT_OVER = pattern(r"[\s+-]*%?'(?=[\s);,]|\Z)")
"""A comment's begin where a quote was left over: nobody begins a remark with it, whatever stands before."""


_ANY_CASE = frozenset(
    ["", *"0 all __all__ $__all any none null * % y n yes no on off t f true false".split()]  # noqa: SIM905 - a wall of quotes
)
"""Values by which programs say "no filter", or answer a question: `(name = '' or '' = '')` is theirs."""


def read(sql: str, *, cut: bool) -> Text:
    tokens = [*lexemes(sql)]
    if cut and tokens:
        tokens.pop()
    kept = [each for each in tokens if each.kind not in _COMMENTS and not _opens_comment(sql, each)]
    last = tokens[-1] if tokens and not cut else None
    hides = last is not None and (last.kind is Lexeme.LINE_COMMENT or _opens_comment(sql, last))
    comment = last if hides and last and kept and "\n" not in sql[kept[-1].end : last.start] else None
    return Text(
        sql=sql,
        skeleton=_skeleton(kept),
        tokens=kept,
        cut=cut,
        comment=comment,
        torn=_torn(sql, tokens),
        remarks=[each.text for each in tokens if each.kind is Lexeme.LINE_COMMENT],
    )


def _torn(sql: str, tokens: Sequence[Token]) -> bool:
    """Tell whether a remark begins with a quote, on the line of what stands before it."""
    return any(
        each.kind is Lexeme.LINE_COMMENT
        and before.kind not in _COMMENTS
        and "\n" not in sql[before.end : each.start]
        and LEFT_OVER.match(each.text) is not None
        for before, each in pairwise(tokens)
    )


_COMMENTS = frozenset({Lexeme.LINE_COMMENT, Lexeme.BLOCK_COMMENT})


def _opens_comment(sql: str, token: Token) -> bool:
    return token.kind is Lexeme.OPEN and sql.startswith("/*", token.start)


def _skeleton(tokens: Sequence[Token]) -> str:
    numbers: dict[str, int] = {}
    parts = []
    for place, token in enumerate(tokens):
        if token.kind in CONSTANTS:
            parts.append(f"L{_sort(token)}{numbers.setdefault(token.text, len(numbers))}")
        elif token.kind is Lexeme.OPERATOR and token.text[0] in "=<>":
            parts.append(token.text + ("!" if _tight(tokens, place) else ""))
        else:
            parts.append(_SHOWN.get(token.kind, "_".join(token.text.lower().split()) or "_"))
    return " ".join([*parts, ""])


CONSTANTS = frozenset({Lexeme.TEXT, Lexeme.NUMBER, Lexeme.BITS})
_SHOWN = {Lexeme.PARAMETER: "$", Lexeme.OPEN: "?"}


def _sort(token: Token) -> str:
    """Give n for a number, s for a number of one digit, t for a text, z for what stands for "no filter"."""
    if token.text.lower() in _ANY_CASE:
        return "z"
    if token.kind is Lexeme.NUMBER:
        return "s" if len(token.text) == 1 else "n"
    return "t"


def _tight(tokens: Sequence[Token], place: int) -> bool:
    """Tell an operator without white space around it: people space theirs, inputs are short."""
    if not 0 < place < len(tokens) - 1:
        return False
    return tokens[place - 1].end == tokens[place].start and tokens[place].end == tokens[place + 1].start
