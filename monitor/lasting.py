"""What probes remember between their runs, and what of it outlives the daemon itself.

A class kept in a `Memory` that has `document` and `restore` is lasting: the daemon keeps its document in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, TypeGuard, TypeVar, runtime_checkable

from monitor.errors import MonitorError
from monitor.model import Target

T = TypeVar("T")

UNREADABLE = (MonitorError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a document raises in who does not understand it: another version of us wrote it."""


@runtime_checkable
class Lasting(Protocol):
    """Something remembered that outlives a restart; no row value, literal or person belongs into its document.

    One exception: a sweep keeps the bounds of its slices, keys of rows, or it could not be resumed.
    """

    def document(self) -> object:
        """Give what is to be kept, as JSON has it (a tuple comes back as a list); None: nothing.

        It is asked for between two runs of the probe, never in the midst of one.
        """

    def restore(self, document: object) -> None:
        """Go on from a document; what is not understood of it is left out: then it begins afresh."""


class Memory:
    """A probe's scratch space on one target between its runs: one object of each type.

    `server` is the space that all probes of one server share, `joint` the one that a server and the poolers before it
    share; `documents` are those of an earlier process, by kind.
    """

    def __init__(
        self,
        server: Memory | None = None,
        documents: Mapping[str, str] | None = None,
        joint: Memory | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        """The server's, as the configuration calls it."""
        self._kept: dict[type, object] = {}
        self._waiting = dict(documents or {})
        self.server: Memory = server or self
        self.joint: Memory = joint or self.server

    def of(self, kind: type[T]) -> T:
        """Give the kept object of this type, made anew the first time: from its document, if it has one."""
        if kind not in self._kept:
            self._kept[kind] = self._made(kind)
        kept = self._kept[kind]
        if not isinstance(kept, kind):
            raise TypeError(kind)
        return kept

    def recall(self, documents: Mapping[str, str]) -> None:
        """Let documents that came late take the place of what began afresh; nobody may be in the midst of it."""
        self._waiting.update(documents)
        self._kept = {kind: kept for kind, kept in self._kept.items() if name_of(kind) not in documents}

    @property
    def waiting(self) -> AbstractSet[str]:
        """The kinds of documents that nobody has asked for yet."""
        return self._waiting.keys()

    def lasting(self) -> Iterator[tuple[str, Lasting]]:
        """Give all that can say itself as a document, by kind."""
        for kind, kept in self._kept.items():
            if _lasts(kept):
                yield name_of(kind), kept

    def _made(self, kind: type[T]) -> T:
        made, text = kind(), self._waiting.pop(name_of(kind), None)
        lasting: object = made
        if text is None or not _lasts(lasting):
            return made
        try:
            lasting.restore(json.loads(text))
        except UNREADABLE:
            return kind()
        return made


def _lasts(kept: object) -> TypeGuard[Lasting]:
    """Tell whether it outlives a restart; isinstance() of a protocol takes a hundred times as long."""
    return hasattr(kept, "document") and hasattr(kept, "restore")


def name_of(kind: type) -> str:
    """Give the name by which a kind of objects is kept."""
    return f"{kind.__module__}.{kind.__qualname__}"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which server was read, and when (all in seconds since 1970): what is remembered of it is of no other."""

    system_identifier: int | None
    timeline: int | None
    in_recovery: bool
    started_at: float
    read_at: float


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose memory it is; of what all probes of a server share, `probe` is empty."""

    target: Target
    probe: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """One document, and the server that it is about."""

    text: str
    of: Identity
