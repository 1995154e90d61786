"""Repairs that check how many rows they touch: one statement, and so one transaction, that does all or nothing."""

from __future__ import annotations

from monitor.probe import sight

_CHECKED = """
declare
    changed bigint;
begin
    {change};
    get diagnostics changed = row_count;
    if changed > {count} then
        raise exception 'pgarchitect: % rows differ by now, not {count} as were counted: nothing was changed', changed;
    end if;
end
"""
_ON_ONE_LINE = f" {' '.join(_CHECKED.split())} "


def checked(change: str, count: int, *, on_one_line: bool = False) -> str:
    """Give the statement that makes a change or, where it meets more rows than were counted, none.

    `on_one_line`: for the middle of a sentence.
    """
    code = (_ON_ONE_LINE if on_one_line else _CHECKED).format(change=change, count=count)
    return f"do {sight.dollar_quoted(code)}"
