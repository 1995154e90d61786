"""Prometheus' text as we write it: names, labels, numbers and headers.

Our own encoder because prometheus_client's costs ten times as much per series. Both forms share the sample lines:
text 0.0.4, and OpenMetrics 1.0, where a counter's family is named without `_total`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from monitor.probe import Kind

Number: TypeAlias = int | float

LABEL_LENGTH = 200
"""Characters of a label's value that are shown."""

_WIDEST = 1 << 63
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_]")
# Controls, line separators some parsers split at, and the surrogates that no UTF-8 can hold.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\\"\u2028\u2029\ud800-\udfff]')
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


@dataclass(frozen=True)
class Family:
    """One metric with all its series; `name` is without `_total`."""

    name: str
    kind: Kind
    help: str

    @property
    def sample(self) -> str:
        """The name on the sample lines."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name

    def header(self, *, openmetrics: bool) -> str:
        """Give the HELP and TYPE lines."""
        name = self.name if openmetrics else self.sample
        text = escape(self.help) if openmetrics else escape(self.help).replace(r"\"", '"')
        return f"# HELP {name} {text}\n# TYPE {name} {self.kind}\n"


def legal(name: str) -> str:
    """Make a metric's or label's name of what an author wrote."""
    return _ILLEGAL.sub("_", name)


def escape(text: str) -> str:
    """Escape a label's value; what no parser should meet becomes U+FFFD."""
    return _UNSAFE.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text) if _UNSAFE.search(text) else text


def label_value(value: object) -> str:
    """Write a column's value as a label shows it: cut, and safe between quotes."""
    if isinstance(value, str):  # by far the most
        return _label_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else _label_text(str(value))


@lru_cache(maxsize=2000)
def _label_text(text: str) -> str:
    """Remember what was written: the same labels come with each reading."""
    return escape(text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…")


def label_set(pairs: Iterable[tuple[str, str]]) -> str:
    """Write `{name="value",…}` of values that label_value gave."""
    return "{" + ",".join([f'{name}="{value}"' for name, value in pairs]) + "}"


def as_number(value: object) -> Number | None:
    """Read a sample's value; None for NULL, NaN and whatever is not a number."""
    if type(value) is float:  # by far the most
        return value if value == value else None  # noqa: PLR0124 - NaN alone differs from itself
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and -_WIDEST < value < _WIDEST:
        return value
    if not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a signalling NaN
        return None
    return None if math.isnan(number) else number


def number_text(value: Number) -> str:
    """Write a number so that Go and Python read the same one."""
    if -math.inf < value < math.inf:
        return repr(value)
    return "+Inf" if value > 0 else "-Inf"
