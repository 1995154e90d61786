"""Conditions that somebody's input added to a statement, and that are always true, or never."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.sqlskeleton import BROKEN_OUT, LITERAL, Text

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
_COMPARED = re.compile(rf"{LITERAL} [=<>]\S* \Z")
"""Two constants, as builders begin with: what follows it was not put behind an input."""
_BY_A_MAPPER = re.compile(r"\b[a-z]\w*(?:\d_|\d_\d+) \. ")
"""Hibernate's aliases: it ends a list of conditions with `1=1` itself."""


def always_true(text: Text) -> bool:
    """Tell whether a condition that is always true, or never, was added."""
    if any(_made_true(found, text) for found in _OR_EQUAL.finditer(text.skeleton)):
        return True
    if _AND_EQUAL.search(text.skeleton) or _CASE_EQUAL.search(text.skeleton):
        return True
    if (text.comment and _OR_TRUE.search(text.skeleton)) or _made_void(text):
        return True
    values = text.values
    return any(_in_order(found, values) for found in _OR_ORDERED.finditer(text.skeleton))


def _made_true(found: re.Match[str], text: Text) -> bool:
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


def _made_void(text: Text) -> bool:
    """Tell a condition that was always true, or never, put behind the last one."""
    for found in (*_OR_FREE.finditer(text.skeleton), *_AND_FREE.finditer(text.skeleton)):
        before = text.skeleton[: found.start()]
        if (
            " where " not in before
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


def _in_order(found: re.Match[str], values: Sequence[str]) -> bool:
    try:
        left, right = float(values[int(found["left"])]), float(values[int(found["right"])])
    except ValueError:  # hexadecimal
        return False
    return {"<": left < right, ">": left > right, "<>": left != right}[found["by"]]
