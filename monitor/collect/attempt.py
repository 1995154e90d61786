"""The attempts to open a kept session: who waited while one failed does not try at once himself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from monitor.errors import TargetError


class Attempts:
    """Remembers the last attempt that failed."""

    def __init__(self) -> None:
        self._failed: tuple[float, TargetError] | None = None

    @contextlib.contextmanager
    def one(self, asked_at: float) -> Iterator[None]:
        """Make an attempt; where one failed since `asked_at` (monotonic), raise its TargetError instead."""
        if self._failed is not None and self._failed[0] >= asked_at:
            raise type(self._failed[1])(str(self._failed[1]))
        try:
            yield
        except TargetError as error:
            self._failed = (time.monotonic(), error)
            raise
