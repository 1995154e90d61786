"""Shapes that a statement's text takes when somebody's input became part of it on purpose.

Works on a skeleton of the text: its lexemes with one space between them, constants replaced by `L`, a letter for their
sort and a number that equal ones share. Precision comes first: what programs write of themselves is no attack.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.sqllex import Lexeme, Token, lexemes


class Attack(StrEnum):
    """What a text was made to do."""

    TAUTOLOGY = "tautology"
    """A condition that is always true was added: `or 1=1`."""
    STACKED = "stacked statement"
    """A second statement was put behind the first."""
    UNION = "union"
    """The system catalogue's rows, or made-up ones, were added to the application's."""
    TRUNCATION = "comment truncation"
    """The rest of the statement was made a comment."""
    DELAY = "time delay"
    """The answer was made to wait, so that its time tells something."""
    EXTRACTION = "blind extraction"
    """Values are read out by pieces, through errors or comparisons."""


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A text's skeleton, and how it ends."""

    sql: str
    skeleton: str
    tokens: Sequence[Token]
    cut: bool = False
    comment: Token | None = None
    """A comment that hides the text's end, on the line of what stands before it."""

    @property
    def adjacent(self) -> bool:
        """Tell whether that comment begins right where the last lexeme ends."""
        return self.comment is not None and bool(self.tokens) and self.tokens[-1].end == self.comment.start


# What a text of no shape lacks, quickest first: plain words, then expressions that begin with plain letters.
_WORDS = (
    "union", "pg_sleep", "generate_series", "chr", "ascii", "_to_xml", "pg_read_", "pg_ls_dir", "lo_import",
    "lo_export",
)  # fmt: skip
_CONDITION = r"(?:[\s(]|/\*.*?\*/|not\b)*(?:['\d]|true\b)"
_SUSPECT = (
    re.compile(r"or\b(?<!\wor)" + _CONDITION, re.DOTALL),
    re.compile(r"and\b(?<!\wand)" + _CONDITION, re.DOTALL),
    re.compile(r"case\s+when\W*\d"),
    re.compile(r"--(?<=['\d)\s]--)"),
    re.compile(r"/\*(?<=['\d)\s]/\*)"),
    re.compile(r";\s*[^\s;]"),
)
_ANY_CASE = frozenset(
    ["", *"0 all __all__ $__all any none null * % y n yes no on off t f true false".split()]  # noqa: SIM905 - a wall of quotes
)
"""Values by which programs say "no filter", or answer a question: `(name = '' or '' = '')` is theirs."""

_LITERAL = r"L[nszt]\d+"
_BROKEN_OUT = rf"{_LITERAL} (?::: \w+ )?(?:\) )*"
"""Where an input's own end may be: behind a constant."""
_OPENED = r"(?:not )?(?:\( )*"

_OR_EQUAL = re.compile(
    rf"(?P<before>{_LITERAL}) (?::: \w+ )?(?P<closed>(?:\) )*)or (?P<open>{_OPENED})"
    r"(?P<left>L(?P<sort>[nszt])(?P<same>\d+)) (?:\) )*(?P<by>=!?|like|ilike|>=!?|<=!?) (?:\( )*L[nszt](?P=same)\b"
    rf"(?: (?P<rest>\)|and(?! {_LITERAL})))?"
)
_OR_ORDERED = re.compile(rf"{_BROKEN_OUT}or {_OPENED}L[ns](?P<left>\d+) (?P<by>[<>]|<>)! L[ns](?P<right>\d+)\b")
_OR_TRUE = re.compile(rf"{_BROKEN_OUT}or {_OPENED}(?:true|L[ns]\d+)(?: \))* \Z")
_AND_EQUAL = re.compile(rf"{_BROKEN_OUT}and {_OPENED}L(?P<sort>[nt])(?P<same>\d+) (?:\) )*=! (?:\( )*L[nt](?P=same)\b")
_CASE_EQUAL = re.compile(r"case when (?:\( )*Ln(?P<same>\d+) =! Ln(?P=same)\b")

_UNION = re.compile(rf"{_BROKEN_OUT}union (?:all |distinct )?(?:\( )*select ")
_CATALOGUE = re.compile(
    r"\b(?:from|join) (?:\( )*(?:pg_catalog \. )?(?:information_schema \. |pg_(?:shadow|user|roles|authid|"
    r"auth_members|database|tables|class|attribute|namespace|proc|settings|views|group|largeobject|hba_file_rules) )"
)
_OF_THE_SERVER = re.compile(r"\b(?:from|join) (?:\( )*(?:pg_catalog|information_schema|pg_\w+)\b")
_MADE_UP = re.compile(rf"(?:null|{_LITERAL}) (?:,|\|\|)|version \( \)|current_user|current_database \( \)|chr \(")
_FROM = re.compile(r"\b(?:from|into|update|join) (?!select\b)(?:\w+ \. )*\w+")

_STACKED = re.compile(rf"(?P<end>{_LITERAL} (?:\) )*); (?=\S)")
_ROWS = re.compile(r"(?:\( )*(?:select|insert|update|delete|with)\b")
_SELECTED = re.compile(r"(?:\( )*(?:select|with)\b")
_LOOKED_UP = re.compile(r"(?:\( )*select .*\bfrom .*\bwhere ")
_RUIN = re.compile(
    r"(?:drop|truncate|grant|revoke|shutdown) |(?:create|alter) (?:or replace )?(?:role|user|function|extension) |"
    r"copy .*program "
)
_CHANGE = re.compile(
    r"(?:drop|truncate|grant|revoke|shutdown|create|alter|copy|do|delete|update|insert|exec|execute|declare|set|call) |"
    r"select .*(?:pg_sleep|generate_series|pg_read_file|lo_|dblink|version \(|current_)"
)
_EVERY_ROW = re.compile(r"(?:delete from|update) (?!.*\bwhere\b)")

_SLEEP = re.compile(
    rf"\b(?:where|having|values|set|limit|order by) (?:.*?)(?:{_LITERAL} ).*?"
    r"(?:and|or|then|else|\|\||=!?|[-+*,]) (?:not )?(?:\( )*(?:(?:case when [^;]* then (?:\( )*)?"
    r"select (?:[^;]*? from )?)?(?:\( )*(?:pg_catalog \. )?pg_sleep(?:_for|_until)? \("
)
_BUSY = re.compile(r"=!? \( select count \( \* \) from generate_series \( L\w+ , Ln\d+ \)")
_SLEEPS_NEXT = re.compile(rf"{_LITERAL} (?:\) )*; (?:select|perform) (?:case when .* then (?:\( select )?)?pg_sleep")

_SPELLED = re.compile(r"(?:chr \( L\w+ \) \|\| ?\(? ?){4}|ascii \( substr(?:ing)? \( \( select")
_READER = re.compile(
    r"\b(?:pg_read_file|pg_read_binary_file|pg_ls_dir|lo_import|lo_export|query_to_xml|database_to_xml) \("
)
_ASKS_ON = re.compile(rf"{_LITERAL} (?:\) )*(?:and|or|union|\|\||=!?|,) ")
_CLOSED_BEHIND = re.compile(r"[\s+-]*(?:[A-Za-z]{4})?'(?=[\s);,]|\Z)")
"""A comment's begin where a quote follows that once closed the constant."""
_LEFT_OVER = re.compile(r"[\s+-]*'(?=[\s);,]|\Z)")  # nobody begins a remark with it, whatever stands before


def attack(sql: str, *, cut: bool = False) -> Attack | None:
    """Say which shape of an attack a text has; None: none. `cut`: the text's end was cut off and tells nothing."""
    if not _suspect(sql.lower()):
        return None
    text = _read(sql, cut=cut)
    tests = (
        (_delays, Attack.DELAY),
        (_stacked, Attack.STACKED),
        (_united, Attack.UNION),
        (_extracts, Attack.EXTRACTION),
        (_always_true, Attack.TAUTOLOGY),
        (_truncated, Attack.TRUNCATION),
    )
    return next((shape for test, shape in tests if test(text)), None)


def _suspect(folded: str) -> bool:
    return any(word in folded for word in _WORDS) or any(shape.search(folded) for shape in _SUSPECT)


def _read(sql: str, *, cut: bool) -> _Text:
    tokens = [*lexemes(sql)]
    if cut and tokens:
        tokens.pop()
    kept = [each for each in tokens if each.kind not in _COMMENTS and not _opens_comment(sql, each)]
    last = tokens[-1] if tokens and not cut else None
    hides = last is not None and (last.kind is Lexeme.LINE_COMMENT or _opens_comment(sql, last))
    comment = last if hides and last and kept and "\n" not in sql[kept[-1].end : last.start] else None
    return _Text(sql=sql, skeleton=_skeleton(kept), tokens=kept, cut=cut, comment=comment)


_COMMENTS = frozenset({Lexeme.LINE_COMMENT, Lexeme.BLOCK_COMMENT})


def _opens_comment(sql: str, token: Token) -> bool:
    return token.kind is Lexeme.OPEN and sql.startswith("/*", token.start)


def _skeleton(tokens: Sequence[Token]) -> str:
    numbers: dict[str, int] = {}
    parts = []
    for place, token in enumerate(tokens):
        if token.kind in _CONSTANTS:
            parts.append(f"L{_sort(token)}{numbers.setdefault(token.text, len(numbers))}")
        elif token.kind is Lexeme.OPERATOR and token.text[0] in "=<>":
            parts.append(token.text + ("!" if _tight(tokens, place) else ""))
        else:
            parts.append(_SHOWN.get(token.kind, "_".join(token.text.lower().split()) or "_"))
    return " ".join([*parts, ""])


_CONSTANTS = frozenset({Lexeme.TEXT, Lexeme.NUMBER, Lexeme.BITS})
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


def _always_true(text: _Text) -> bool:
    if any(_made_true(found, text) for found in _OR_EQUAL.finditer(text.skeleton)):
        return True
    if _AND_EQUAL.search(text.skeleton) or _CASE_EQUAL.search(text.skeleton):
        return True
    if text.comment and _OR_TRUE.search(text.skeleton):
        return True
    values = [*dict.fromkeys(each.text for each in text.tokens if each.kind in _CONSTANTS)]
    return any(_in_order(found, values) for found in _OR_ORDERED.finditer(text.skeleton))


def _made_true(found: re.Match[str], text: _Text) -> bool:
    """Leave out a program's optional filter: `(name = 'x' or 'x' = 'x')`, of two inputs that happen to be equal.

    And, where nothing was made a comment, `(kind = 5 or 1 = 1)`, a filter switched off by a number, and `or (1=1 and
    kind = 5)`, which is how builders begin a list of conditions.
    """
    tight, own = found["by"].endswith("!"), found["before"] == found["left"]
    if not text.comment and found["sort"] in "sn":
        if text.cut and found.end() >= len(text.skeleton) - 1:
            return False
        if found["closed"] or "(" in found["open"]:
            return found["rest"] != "and"
        if found["rest"] == ")" and not tight:
            return False
    return tight or not (found["sort"] == "z" or (own and found["sort"] == "t"))


def _in_order(found: re.Match[str], values: Sequence[str]) -> bool:
    try:
        left, right = float(values[int(found["left"])]), float(values[int(found["right"])])
    except ValueError:  # hexadecimal
        return False
    return {"<": left < right, ">": left > right, "<>": left != right}[found["by"]]


def _united(text: _Text) -> bool:
    for found in _UNION.finditer(text.skeleton):
        before, rest = text.skeleton[: found.start()], text.skeleton[found.end() :]
        if _OF_THE_SERVER.search(before) or not _FROM.search(before):
            continue
        if _CATALOGUE.search(rest) or (text.comment and _MADE_UP.search(rest)):
            return True
    return False


def _stacked(text: _Text) -> bool:
    if not _ROWS.match(text.skeleton):
        return False
    for found in _STACKED.finditer(text.skeleton):
        before, second = text.skeleton[: found.end()], text.skeleton[found.end() :]
        if "\n" in _behind(text, found):
            continue
        plain = ")" not in found["end"] and _LOOKED_UP.match(before)
        read = _SELECTED.match(before) and _RUIN.match(second)
        if text.comment and (read or ((plain or _hides(text)) and _CHANGE.match(second))):
            return True
        if plain and (_RUIN.match(second) or _EVERY_ROW.match(second) or _asks_the_server(before, second)):
            return True
    return False


def _hides(text: _Text) -> bool:
    """Tell a comment that hides the rest of a statement from a remark at its end."""
    rest = text.comment.text if text.comment else "no comment"
    hides = rest.strip(" \t-+") == "" or _CLOSED_BEHIND.match(rest)
    return bool(hides or (text.comment and text.comment.kind is Lexeme.OPEN))


def _asks_the_server(before: str, second: str) -> bool:
    """Tell a second statement on the catalogue behind one on the application's tables."""
    return bool(_ROWS.match(second) and _CATALOGUE.search(second) and not _OF_THE_SERVER.search(before))


def _behind(text: _Text, found: re.Match[str]) -> str:
    """Give what stands in the text between a statement's semicolon and the next statement."""
    place = text.skeleton[: found.end()].count(" ")
    return text.sql[text.tokens[place - 1].end : text.tokens[place].start] if 0 < place < len(text.tokens) else ""


def _delays(text: _Text) -> bool:
    if not _ROWS.match(text.skeleton):
        return False
    sleeps = "pg_sleep" in text.skeleton and (_SLEEPS_NEXT.search(text.skeleton) or _SLEEP.search(text.skeleton))
    return bool(sleeps or _BUSY.search(text.skeleton))


def _extracts(text: _Text) -> bool:
    reader = _READER.search(text.skeleton)
    asked = reader is not None and _ASKS_ON.search(text.skeleton, 0, reader.start())
    return bool(asked or _SPELLED.search(text.skeleton))


def _truncated(text: _Text) -> bool:
    if text.comment is None or not _ROWS.match(text.skeleton):
        return False
    rest, by_line = text.comment.text, text.comment.kind is Lexeme.LINE_COMMENT
    if by_line and _LEFT_OVER.match(rest) and re.search(_LITERAL, text.skeleton):
        return True
    if not re.search(rf"{_LITERAL} (?:\) )*\Z", text.skeleton):
        return False
    direct = text.adjacent and text.tokens[-1].kind in _CONSTANTS
    return direct or (by_line and rest.strip() != "" and _hides(text))
