r"""Matchers with Alertmanager's meaning: which labels a silence, a route or an inhibition is about.

Written `severity="critical"` or `rule=~"index\..*"`; a label that is not there is the empty text. Regular expressions
are RE2's, as Alertmanager's are: they take time in proportion to the text, whatever somebody writes.
"""

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PLAIN = r'[^\s"\'`{}!=~,\\]+'
_LABEL = re.compile(_PLAIN)
_HEAD = re.compile(rf"\s*(?P<label>{_QUOTED}|{_PLAIN})\s*(?P<op>=~|!=|!~|=)", re.DOTALL)
_TEXT = re.compile(_QUOTED, re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_MEANT = {"n": "\n", '"': '"', "\\": "\\"}
_SHOWN = 80  # of a text that is refused, this much is shown


@runtime_checkable  # pydantic asks for it
class _Expression(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


class Op(StrEnum):
    """How a label's value is compared; regular expressions are anchored at both ends."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LIKE = "=~"
    UNLIKE = "!~"


class Matching(Protocol):
    """Whatever tells by an alert's labels whether it is meant."""

    def matches(self, labels: Mapping[str, str], /) -> bool:
        """Tell whether these labels are meant."""


@dataclass(frozen=True)
class Matcher:
    """One comparison of one label; raises ValueError when it cannot be made."""

    label: str
    op: Op
    value: str
    _regex: _Expression | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("a matcher needs a label before its operator")
        if not is_whole(self.label + self.value):
            raise ValueError("a matcher holds half a character; write it in UTF-8")
        if Op(self.op) in {Op.LIKE, Op.UNLIKE}:
            object.__setattr__(self, "_regex", _compiled(self.label, self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether these labels are meant."""
        there = labels.get(self.label, "")
        same = there == self.value if self._regex is None else self._regex.fullmatch(_sound(there)) is not None
        return same is (self.op in {Op.EQUAL, Op.LIKE})

    def __str__(self) -> str:
        """Give what `parse_matcher` reads as this matcher."""
        label = self.label if _LABEL.fullmatch(self.label) else _quoted(self.label)
        return f"{label}{self.op}{_quoted(self.value)}"


def all_match(matchers: Iterable[Matching], labels: Mapping[str, str]) -> bool:
    """Tell whether every matcher means these labels; none means all."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matcher(text: str) -> Matcher:
    r"""Read one matcher; its value may stand in double quotes, where \" \\ and \n are escapes. Raises ValueError.

    Another backslash is itself, as in Alertmanager, so that `rule=~"index\..*"` need not double it.
    """
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f'{_cut(text)}: not a matcher; write LABEL="VALUE" with one of = != =~ !~ between')
    label, value = head["label"], text[head.end() :].strip()
    return Matcher(_unquoted(label) if label.startswith('"') else label, Op(head["op"]), _value(text, value))


def is_whole(text: str) -> bool:
    """Tell whether a text can be written in UTF-8: JSON may bring half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _value(text: str, value: str) -> str:
    if _TEXT.fullmatch(value):
        return _unquoted(value)
    if value.startswith('"') and not _TEXT.match(value):
        raise ValueError(f"{_cut(text)}: the quote is not closed")
    if _BARE_QUOTE.search(value):
        raise ValueError(f'{_cut(text)}: a quote inside the value; write \\" for it, and one matcher at a time')
    if "," in value or value.startswith(("=", "~")):
        raise ValueError(f"{_cut(text)}: put a value with a comma, or with = or ~ in front, into double quotes")
    return _meant(value)


def _unquoted(text: str) -> str:
    return _meant(text[1:-1])


def _meant(text: str) -> str:
    return _ESCAPE.sub(lambda escape: _MEANT.get(escape[1], escape[0]), text)


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(character, character) for character in text) + '"'


def _compiled(label: str, value: str) -> _Expression:
    """Compile an expression. The library is loaded with the first one: most configurations need none."""
    try:
        re2 = importlib.import_module("re2")
    except ImportError:
        raise ValueError(f"{label}: regular expressions need the package google-re2; install it") from None
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: _Expression = re2.compile(value, options)
    except re2.error as error:
        why = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{label}: {_cut(value)} is no regular expression of RE2's: {_cut(why)}") from None
    return compiled


def _sound(text: str) -> str:
    """Give a text that can be written in UTF-8, which RE2 reads."""
    return text if is_whole(text) else text.encode(errors="replace").decode()


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
