"""What an earlier process remembered, until it is asked for: given once, and only to the server that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.collect.identity import Who, is_same
from monitor.lasting import Place, Remembered
from monitor.model import Target


class Past:
    """Documents that wait for their probes' first runs."""

    def __init__(self) -> None:
        self._of: dict[tuple[Target, str], dict[str, Remembered]] = {}

    def add(self, past: Mapping[Place, Remembered]) -> None:
        """Let more of them wait."""
        for place, each in past.items():
            self._of.setdefault((place.target, place.probe), {})[place.kind] = each

    def owners(self) -> Sequence[tuple[Target, str]]:
        """Give whose documents wait."""
        return tuple(self._of)

    def documents(self, target: Target, probe: str, server: Who) -> dict[str, str]:
        """Give a probe's documents by kind; those that are of another server are lost."""
        waiting = self._of.pop((target, probe), {})
        return {kind: each.text for kind, each in waiting.items() if is_same(each.of, server)}

    def forget(self, server: str) -> None:
        """Drop what is of a server that is watched no longer."""
        self._of = {key: waiting for key, waiting in self._of.items() if key[0].server != server}
