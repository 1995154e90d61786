"""Repairs that check how many rows they touch: one statement, and so one transaction, that does all or nothing."""

from __future__ import annotations

from monitor.probe import Remedy, sight

_CHECKED = """
declare
    changed bigint;
begin
    {change};
    if changed > {count} then
        raise exception 'pgarchitect: % {things} differ by now, not {count} as were counted: nothing was changed',
            changed;
    end if;
end
"""
_ON_ONE_LINE = f" {' '.join(_CHECKED.split())} "
_ROWS = "{change}; get diagnostics changed = row_count"
_TOLD = "{change} into changed"


def printed_later(table: str) -> Remedy:
    """Say of a table that was looked at in part that more may be met than was counted so far."""
    until = f"The SQL that mends it is printed once all of {table} has been looked at"
    return Remedy(caution=f"{until}: it changes no more than was counted.")


def checked(change: str, count: int, *, on_one_line: bool = False) -> str:
    """Give the statement that makes a change or, where it meets more rows than were counted, none.

    `on_one_line`: for the middle of a sentence.
    """
    text = _ON_ONE_LINE if on_one_line else _CHECKED
    return _done(text.format(change=_ROWS.format(change=change), count=count, things="rows"))


def checked_telling(change: str, count: int, things: str) -> str:
    """Give such a statement for a change that tells by itself how many `things` it met: they are not the rows changed.

    `change` begins with WITH, and ends with a SELECT of that one number.
    """
    return _done(_CHECKED.format(change=_TOLD.format(change=change), count=count, things=things))


def _done(code: str) -> str:
    return f"do {sight.dollar_quoted(code)}"
