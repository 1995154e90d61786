"""Logging: structlog to stderr as JSON or for people, with a redacting processor last before rendering.

What third parties log through the standard library takes the same way, so that it is redacted too.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

STARS = "***"

_SECRET_KEY = re.compile(
    r"passw|passphrase|pwd|secret|token|dsn|conninfo|webhook|authorization|cookie|api_?key|credential", re.IGNORECASE
)
# Inside a repr quotes carry backslashes: then up to the line's last quote. An open quote hides the rest of its line.
_QUOTED = r"""\\+(?:'[^\n]*'|"[^\n]*")|'(?:[^'\\]|\\+[^\\]|'')*'|"(?:[^"\\]|\\+[^\\])*"|['"][^\n]*"""
_WORD = r"(?:\w*passw(?:or)?d|passphrase|pwd|secret|token|api_?key|authorization)"
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Up to the last @ of the line: a password written raw may hold any character, blanks and slashes included.
        (r"(postgres(?:ql)?(?:\+\w+)?://)[^\n]*@", rf"\1{STARS}@"),
        (r"\b([a-z][a-z0-9+.-]*://)[^\s\"'<>]*@", rf"\1{STARS}@"),
        (r"\b(hooks\.[\w.-]+/)[^\s\"'<>]+", rf"\1{STARS}"),
        (r"(/services/)[\w-]+/[\w-]+/[\w-]+", rf"\1{STARS}"),
        (r"\bxox[a-z]-[\w-]+", STARS),
        (r"\b((?:bearer|basic)\s+)[\w.~+/=-]{6,}", rf"\1{STARS}"),
        (rf"({_WORD}[\"']?\s*[=:]\s*(?:e(?='))?)(?:{_QUOTED}|(?!\*\*\*)[^\s&\"']+)", rf"\1{STARS}"),
        (rf"({_WORD}\s+(?:e(?='))?)(?:{_QUOTED})", rf"\1{STARS}"),
    )
)


def redacted(text: str) -> str:
    """Blot out what looks like a secret: user parts of URLs, passwords, tokens, and the paths of chat webhooks."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Redact every field of a log line, however deep: the last processor before rendering."""
    return {key: _clean(value, key) for key, value in event.items()}


def configure(format: str = "json", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002 - the key's name
    """Set logging up for the process; `format` is json or console, `level` debug, info, warning or error."""
    output = stream or sys.stderr
    finish = [redact, _renderer(format, output)]
    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*begin, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_library(output, begin, finish, max(threshold, logging.WARNING))


def _adopt_standard_library(output: TextIO, begin: list[Processor], finish: list[Processor], threshold: int) -> None:
    handler = logging.StreamHandler(output)
    chain = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish]
    origin = structlog.stdlib.add_logger_name
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=chain, foreign_pre_chain=[*begin, origin]))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)


def _renderer(format: str, output: TextIO) -> Processor:  # noqa: A002 - the key's name
    if format == "json":
        return structlog.processors.JSONRenderer(default=str)
    # The exception is a text by now: it was formatted, and redacted, before rendering.
    return structlog.dev.ConsoleRenderer(colors=_colours(output), exception_formatter=structlog.dev.plain_traceback)


def _colours(output: TextIO) -> bool:
    return output.isatty() and not os.environ.get("NO_COLOR")


def _clean(value: Any, key: str = "") -> object:
    if _SECRET_KEY.search(key) and not isinstance(value, bool | None):
        return STARS
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bytes):
        return redacted(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {redacted(str(name)): _clean(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    return redacted(str(value))
