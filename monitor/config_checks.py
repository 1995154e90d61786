"""What is well by itself in monitor.yaml and wrong, or idle, beside the rest: routes, receivers, intervals, ignores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from monitor.config_model import Root
from monitor.config_values import Mistake, did_you_mean
from monitor.config_yaml import KeyPath


def route_mistakes(whole: Mapping[str, object], route: object, path: KeyPath = ("route",)) -> Iterator[Mistake]:
    """Find receivers and time intervals that a route, or one below it, names and nobody made."""
    if not isinstance(route, Mapping):
        return
    heard = route.get("receiver")
    if isinstance(heard, str):
        yield from _unknown(heard, whole.get("receivers"), (*path, "receiver"), "receiver")
    mute = route.get("mute_time_intervals")
    for place, name in enumerate(mute if isinstance(mute, list) else []):
        yield from _unknown(
            str(name), whole.get("time_intervals"), (*path, "mute_time_intervals", place), "time interval"
        )
    below = route.get("routes")
    for place, child in enumerate(below if isinstance(below, list) else []):
        yield from route_mistakes(whole, child, (*path, "routes", place))


def _unknown(name: str, there: object, path: KeyPath, what: str) -> Iterator[Mistake]:
    names = [str(each) for each in there] if isinstance(there, Mapping) else []
    if name not in names:
        yield Mistake(path, f"no such {what}", did_you_mean(name, names, "there are"))


def idle(root: Root, today: date) -> Iterator[Mistake]:
    """Give what has no effect."""
    heard, mute = (root.route.receivers, root.route.intervals) if root.route else (frozenset(), frozenset())
    for name in root.receivers:
        if name not in heard:
            yield Mistake(("receivers", name), "is used by no route", f"route: {{receiver: {name}}}")
    for name in root.time_intervals:
        if name not in mute:
            yield Mistake(("time_intervals", name), "is used by no route", f"mute_time_intervals: [{name}]")
    for place, entry in enumerate(root.ignore):
        if entry.ignore.over(today):
            yield Mistake(("ignore", place, "until"), "is past: this entry ignores nothing", "remove it")
