"""The address under which something is shown: what is asked for, but for what is usual."""

from __future__ import annotations

from urllib.parse import urlencode


def address(path: str, asked: object, usual: object) -> str:
    """Write the fields of one dataclass that differ from those of another as a query."""
    plain = vars(usual)
    pairs = {name: value for name, value in vars(asked).items() if value != plain[name]}
    return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path
