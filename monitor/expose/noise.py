"""What aiohttp has to say of requests: faults of ours are logged, what is no HTTP at all is its sender's own affair."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

_NAME = "aiohttp.server.requests"


class _OfOurs(logging.Filter):
    """Lets through what is not about a request that cannot be read: port scanners would fill the log with those."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_OF_OURS = _OfOurs()


def logger() -> logging.Logger:
    """Give what the server logs with."""
    chosen = logging.getLogger(_NAME)
    chosen.addFilter(_OF_OURS)
    return chosen
