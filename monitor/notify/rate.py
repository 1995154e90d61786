"""How many messages a receiver may get: a bucket of tokens, one a message, that fills slowly.

It owns no clock: monotonic seconds are handed in.
"""

# Of a token; what is missing by no more than this is float's rounding.
ROUNDING = 1e-6


class Bucket:
    """Holds at most `capacity` tokens (at least one), full at first; every `refill_seconds` one is put back."""

    def __init__(self, capacity: int = 15, refill_seconds: float = 30.0) -> None:
        self._capacity, self._refill_seconds = max(capacity, 1), refill_seconds
        self._tokens = float(self._capacity)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token; False when there is none."""
        if not self.left(now):
            return False
        self._tokens = max(self._tokens - 1, 0.0)
        return True

    def left(self, now: float) -> int:
        """Give how many whole tokens there are."""
        if self._at is not None and now > self._at:
            grown = (now - self._at) / self._refill_seconds if self._refill_seconds > 0 else float(self._capacity)
            self._tokens = min(self._tokens + grown, float(self._capacity))
        self._at = now if self._at is None else max(now, self._at)
        return int(self._tokens + ROUNDING)

    def wait(self, now: float) -> float:
        """Give the seconds until there is a token; 0 when there is one."""
        return 0.0 if self.left(now) else (1 - self._tokens) * self._refill_seconds
