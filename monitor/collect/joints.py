"""What a server and the poolers before it share: one scratch space for all of them."""

from __future__ import annotations

from monitor.lasting import Memory


class Joints:
    """The spaces, by the name of the server behind; a target that serves nobody has one of its own."""

    def __init__(self) -> None:
        self._serves: dict[str, str] = {}
        self._spaces: dict[str, Memory] = {}

    def join(self, name: str, serves: str | None) -> None:
        """Say which server a pooler stands before; None: none, or it is no pooler."""
        if serves is None:
            self._serves.pop(name, None)
        else:
            self._serves[name] = serves

    def of(self, name: str) -> Memory:
        """Give a target's space."""
        return self._spaces.setdefault(self._serves.get(name, name), Memory())

    def forget(self, name: str) -> None:
        """Drop what is remembered of a target that is watched no longer."""
        self._spaces.pop(name, None)
        self._serves.pop(name, None)
