"""Conditions that somebody's input added to a statement, and that are always true, or never."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence

from monitor.sql.skeleton import BROKEN_OUT, LITERAL, Text

_OPENED = r"(?:not )?(?:\( )*"

_OR_EQUAL = re.compile(
    rf"(?P<before>{LITERAL}) (?::: \w+ )?(?P<closed>(?:\) )*)or (?P<open>{_OPENED})"
    r"(?P<left>L(?P<sort>[nszt])(?P<same>\d+)) (?:\) )*(?P<by>=!?|like|ilike|>=!?|<=!?) (?:\( )*L[nszt](?P=same)\b"
    rf"(?: (?P<rest>\)|and(?! {LITERAL})))?"
)
_OR_ORDERED = re.compile(rf"{BROKEN_OUT}or {_OPENED}L[ns](?P<left>\d+) (?P<by>[<>]|<>)! L[ns](?P<right>\d+)\b")
_OR_TRUE = re.compile(rf"{BROKEN_OUT}or {_OPENED}(?:true|L[ns]\d+)(?: \))* \Z")
_AND_EQUAL = re.compile(rf"{BROKEN_OUT}and {_OPENED}L(?P<sort>[nt])(?P<same>\d+) (?:\) )*=! (?:\( )*L[nt](?P=same)\b")
_CASE_EQUAL = re.compile(r"case when (?:\( )*Ln(?P<same>\d+) =! Ln(?P=same)\b")

# Outside of all parentheses, where nobody writes what makes the condition before it void.
_OR_FREE = re.compile(
    rf"(?P<before>{LITERAL}) (?::: \w+ )?(?:\) )*or (?:\( )*(?:true|not false|null is null|"
    rf"(?P<own>{LITERAL}) is not null|exists \( select {LITERAL} \)|{LITERAL} between {LITERAL} and {LITERAL}|"
    r"(?P<name>(?:[a-z_]\w* \. )?[a-z_]\w*) =!? (?P=name)) (?![=<>.(:])"
)
_AND_FREE = re.compile(rf"{BROKEN_OUT}and Ls(?P<left>\d+) =! Ls(?P<right>\d+) (?![-+*/])")
_OF_CONSTANTS = re.compile(
    rf"(?P<before>{LITERAL}) (?::: \w+ )?(?:\) )*or (?:\( ){{0,6}}(?:"
    r"(?P<member>L[nst]\d+) in \( (?:L\w+ , )*(?P=member) |"
    r"select (?:true|L\w+) \) (?:=!? L\w+ )?|"
    r"(?:current_user|session_user|now \( \)|random \( \)) (?:is not null |like |<!? L)|"
    r"(?P<of>length|lower|upper|chr|ascii) \( L(?P<sort>[nst])(?P<given>\d+) \) =!? L\w(?P<gives>\d+) |"
    r"L[nst](?P<left>\d+) (?P<cast>:: \w+ )?(?P<by>=!?|<>!|~\*?|similar to) L[nstz](?P<right>\d+) (?::: \w+ )?)"
    r"(?![=<>.(:])"
)
"""What only constants decide, behind the last condition."""
_AND_ORDERED = re.compile(rf"{BROKEN_OUT}and (?:\( ){{0,6}}L[ns]\d+ [<>]! L[ns]\d+ (?![-+*/])")
_OF_NUMBERS = re.compile(rf"{BROKEN_OUT}(?:and|or not) (?:\( ){{0,6}}Ln\d+ =! Ln\d+ ")
_AND_LETTERS = re.compile(rf"{BROKEN_OUT}and Lt(?P<left>\d+) =! Lt(?P<right>\d+) ")
_CASE_REMAINS = re.compile(
    rf"{LITERAL} [-+*/] (?:\( ){{0,6}}(?:select )?case when (?:\( ){{0,6}}L[ns](?P<same>\d+) =! L[ns](?P=same)\b"
)
_COMPARED = re.compile(rf"{LITERAL} [=<>]\S* \Z")
"""Two constants, as builders begin with: what follows it was not put behind an input."""
_CONDITION = re.compile(r" (?:where|having) ")
_BY_A_MAPPER = re.compile(r"\b[a-z]\w*(?:\d_|\d_\d+) \. ")
"""Hibernate's aliases: it ends a list of conditions with `1=1` itself."""


def always_true(text: Text) -> bool:
    """Tell whether a condition that is always true, or never, was added."""
    if any(_made_true(found, text) for found in _OR_EQUAL.finditer(text.skeleton)):
        return True
    if _AND_EQUAL.search(text.skeleton) or _CASE_EQUAL.search(text.skeleton):
        return True
    if (text.comment and _OR_TRUE.search(text.skeleton)) or _made_void(text) or _decided(text):
        return True
    values = text.values
    return any(_in_order(found, values) for found in _OR_ORDERED.finditer(text.skeleton))


def _made_true(found: re.Match[str], text: Text) -> bool:
    """Leave out a program's optional filter: `(name = 'x' or 'x' = 'x')`, of two inputs that happen to be equal.

    And, where nothing was made a comment, `(kind = 5 or 1 = 1)`, a filter switched off by a number, and `or (1=1 and
    kind = 5)`, which is how builders begin a list of conditions.
    """
    tight, own = found["by"].endswith("!"), found["before"] == found["left"]
    if not text.comment and found["sort"] == "t" and found["rest"] == ")" and not (tight or found["closed"]):
        return "(" in found["open"]
    if not text.comment and found["sort"] in "sn":
        if text.cut and found.end() >= len(text.skeleton) - 1:
            return False
        if found["closed"] or "(" in found["open"]:
            return found["rest"] != "and"
        if found["rest"] == ")" and not tight:
            return False
    return tight or not (found["sort"] == "z" or (own and found["sort"] == "t"))


def _made_void(text: Text) -> bool:
    """Tell a condition that was always true, or never, put behind the last one."""
    for found in (*_OR_FREE.finditer(text.skeleton), *_AND_FREE.finditer(text.skeleton)):
        before = text.skeleton[: found.start()]
        if (
            not _CONDITION.search(before)
            or text.depth(found.end())
            or _COMPARED.search(before)
            or (text.cut and found.end() == len(text.skeleton))
        ):
            continue
        groups = found.groupdict()
        if "left" in groups:
            pair = {text.values[int(groups["left"])], text.values[int(groups["right"])]}
            if (len(pair) == 1 or "0" not in pair) and not _BY_A_MAPPER.search(text.skeleton):
                return True
        elif groups["own"] is None or groups["own"] != groups["before"]:
            return True
    return False


def _decided(text: Text) -> bool:
    """Tell a condition that constants alone decide, behind the last one and outside of all parentheses."""
    if _CASE_REMAINS.search(text.skeleton):
        return True
    for shape in (_OF_CONSTANTS, _OF_NUMBERS, _AND_ORDERED, _AND_LETTERS):
        for found in shape.finditer(text.skeleton):
            before = text.skeleton[: found.start()]
            end = text.cut and found.end() >= len(text.skeleton) - 1
            if end or not _CONDITION.search(before) or text.depth(found.start()) or _COMPARED.search(before):
                continue
            if _holds(found.groupdict(), text.values):
                return True
    return False


def _holds(found: Mapping[str, str | None], values: Sequence[str]) -> bool:
    """Work it out, where there is something to be worked out."""
    given, gives = found.get("given"), found.get("gives")
    if given is not None and gives is not None:
        return _called(found.get("of"), values[int(given)]) == values[int(gives)]
    left, right = found.get("left"), found.get("right")
    if left is None or right is None:
        return True
    same = left == right and found.get("cast") is not None
    return same or _compared(found.get("by"), values[int(left)], values[int(right)])


def _called(function: str | None, given: str) -> str | None:
    if function == "length":
        return str(len(given))
    if function == "chr":
        return chr(int(given)) if given.isdigit() and int(given) <= sys.maxunicode else None
    if function == "ascii":
        return str(ord(given[0])) if given else None
    return given.lower() if function == "lower" else given.upper()


def _compared(by: str | None, left: str, right: str) -> bool:
    if by is None:  # two letters, as one tries out what is true and what is false
        return len(left) == len(right) == 1
    if by == "<>!":
        return left != right
    if by.startswith("~") or by == "similar to":
        return right in {left, left[:1], "%", ".", ".*", "%%"}
    return left != right and (_number(left) == _number(right) or left.rstrip("%") == right.rstrip("%"))


def _number(written: str) -> float | str:
    try:
        return float(written)
    except ValueError:
        return written


def _in_order(found: re.Match[str], values: Sequence[str]) -> bool:
    try:
        left, right = float(values[int(found["left"])]), float(values[int(found["right"])])
    except ValueError:  # hexadecimal
        return False
    return {"<": left < right, ">": left > right, "<>": left != right}[found["by"]]
