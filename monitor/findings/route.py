"""The routing tree: who hears of an alert, together with which others, and how patiently; as Alertmanager means it.

`Route` is a node as it is written, where None means "as the parent"; `resolved` gives the complete tree of branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from json.encoder import encode_basestring
from typing import Final

from monitor.findings.matchers import Matcher, all_match

ALL_LABELS: Final = "..."
"""Alone in `group_by`: every alert is a group of its own."""

LONGEST_SECONDS: Final = 3650 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Route:
    """A node as configured; times in seconds. What is None is as the parent has it, at the root as Alertmanager does.

    As there, `mute_time_intervals` and `continue_` are a node's own and not handed down.
    """

    receiver: str | None = None
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait: float | None = None
    group_interval: float | None = None
    repeat_interval: float | None = None
    continue_: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def resolved(self) -> Branch:
        """Give the complete tree below this root. Raises ValueError that names the place of the mistake."""
        if self.receiver is None:
            raise ValueError("route: names no receiver; everything that no child matches goes to the root's")
        if self.matchers:
            raise ValueError("route: the root takes every alert; put its matchers into a child under routes")
        return _branch(self, _UNSAID, "route")


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A node of the complete tree; times in seconds."""

    path: str
    """Its own and its ancestors' matchers: what makes the name of its groups, wherever it stands among its siblings."""
    receiver: str
    matchers: tuple[Matcher, ...]
    group_by: tuple[str, ...]
    group_wait: float
    group_interval: float
    repeat_interval: float
    continue_: bool
    mute_time_intervals: tuple[str, ...]
    routes: tuple[Branch, ...] = ()

    def matching(self, labels: Mapping[str, str]) -> list[Branch]:
        """Give the nodes that take these labels, depth first; a child that does is the last, but for `continue`."""
        if not all_match(self.matchers, labels):
            return []
        found: list[Branch] = []
        for child in self.routes:
            taken = child.matching(labels)
            found += taken
            if taken and not child.continue_:
                break
        return found or [self]

    def shared(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Pick the labels this node groups by; as everywhere at Alertmanager, an empty label is not there."""
        names = labels if self.group_by == (ALL_LABELS,) else self.group_by
        return {name: labels[name] for name in sorted(names) if labels.get(name)}

    def group_name(self, shared: Mapping[str, str]) -> str:
        """Name the group of this node whose alerts share these labels, in the manner of Alertmanager."""
        values = ",".join(f"{name}={encode_basestring(shared[name])}" for name in sorted(shared))
        return f"{self.path}:{{{values}}}"

    def walk(self) -> Iterator[Branch]:
        """Give this node and all below it."""
        yield self
        for child in self.routes:
            yield from child.walk()


_UNSAID: Final = Branch(
    path="",
    receiver="",
    matchers=(),
    group_by=(),
    group_wait=30.0,
    group_interval=300.0,
    repeat_interval=4 * 3600.0,
    continue_=False,
    mute_time_intervals=(),
)
"""What holds at a root that does not say."""


def _branch(route: Route, parent: Branch, place: str) -> Branch:
    own = "{" + ",".join(sorted(map(str, route.matchers))) + "}"
    branch = Branch(
        path=f"{parent.path}/{own}" if parent.path else own,
        receiver=parent.receiver if route.receiver is None else route.receiver,
        matchers=route.matchers,
        group_by=_grouping(route.group_by, place) if route.group_by is not None else parent.group_by,
        group_wait=_seconds(route.group_wait, parent.group_wait, f"{place}.group_wait", zero=True),
        group_interval=_seconds(route.group_interval, parent.group_interval, f"{place}.group_interval"),
        repeat_interval=_seconds(route.repeat_interval, parent.repeat_interval, f"{place}.repeat_interval"),
        continue_=route.continue_,
        mute_time_intervals=route.mute_time_intervals,
    )
    children = (_branch(child, branch, f"{place}.routes[{at}]") for at, child in enumerate(route.routes))
    return replace(branch, routes=tuple(children))


def _grouping(group_by: tuple[str, ...], place: str) -> tuple[str, ...]:
    if ALL_LABELS in group_by and len(group_by) > 1:
        raise ValueError(f'{place}.group_by: "{ALL_LABELS}" means all labels and stands alone; remove it or the others')
    if len(set(group_by)) < len(group_by):
        raise ValueError(f"{place}.group_by: names a label twice")
    return group_by


def _seconds(own: float | None, inherited: float, place: str, *, zero: bool = False) -> float:
    if own is None:
        return inherited
    if not (0 < own <= LONGEST_SECONDS or (zero and own == 0)):
        raise ValueError(f"{place}: must be {'at least' if zero else 'longer than'} 0 seconds, and at most ten years")
    return own
