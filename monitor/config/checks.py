"""What is well by itself in monitor.yaml and wrong, or idle, beside the rest: routes, receivers, digests, templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config.model import Root
from monitor.config.targets import TargetYaml
from monitor.config.values import Mistake, did_you_mean
from monitor.config.yamlfile import KeyPath
from monitor.kinds import POSTGRES

if TYPE_CHECKING:
    from monitor.notify.template import Template


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


def digest_mistakes(root: Root) -> Iterator[Mistake]:
    """Find digests of one name, and those whose receiver nobody made or cannot have one."""
    names: set[str] = set()
    for place, digest in enumerate(root.digests):
        if digest.name in names:
            yield Mistake(("digests", place, "name"), "another digest has this name", "choose another")
        names.add(digest.name)
        path: KeyPath = ("digests", place, "receiver")
        yield from _unknown(digest.receiver, root.receivers, path, "receiver")
        if digest.receiver in root.receivers and root.receivers[digest.receiver].alertmanager is not None:
            yield Mistake(path, "is an Alertmanager, which takes alerts only", "name a chat, a webhook or the console")


def replica_mistakes(root: Root) -> Iterator[Mistake]:
    """Find replicas of nobody, of what is no server, and of themselves by way of others."""
    servers = _servers(root)
    follows = {name: target.replica_of for name, target in servers.items()}
    for place, target in enumerate(root.targets):
        path: KeyPath = ("targets", place, "replica_of")
        what = ("is no server: a PgBouncer has no replicas", "name the server behind it")
        yield from _no_server(root, follows.get(target.name), path, what)
        if target.name in _upstream(target.name, follows):
            yield Mistake(path, "leads back to this target", "one of them has to be the primary, without replica_of")


def pooler_mistakes(root: Root) -> Iterator[Mistake]:
    """Find poolers that stand before nobody, or before what is no server."""
    servers = _servers(root)
    for place, target in enumerate(root.targets):
        served = servers[target.name].serves if target.name in servers else None
        what = ("is no server", "name the server that its databases lead to")
        yield from _no_server(root, served, ("targets", place, "serves"), what)


def _servers(root: Root) -> Mapping[str, TargetYaml]:
    return {target.name: target for target in root.targets if isinstance(target, TargetYaml)}


def _no_server(root: Root, name: str | None, path: KeyPath, what: tuple[str, str]) -> Iterator[Mistake]:
    """Find a name of nobody, whom discovery may still find, or of what is no server: `what` is said of it."""
    servers = _servers(root)
    if name is None:
        return
    if name not in servers:
        if not root.discovery:
            yield from _unknown(name, servers, path, "target")
    elif servers[name].kind != POSTGRES:
        yield Mistake(path, *what)


def _upstream(name: str, follows: Mapping[str, str | None]) -> set[str]:
    """Give whom a server follows, and whom those follow."""
    found: set[str] = set()
    above = follows.get(name)
    while above is not None and above not in found:
        found.add(above)
        above = follows.get(above)
    return found


def receiver_mistakes(root: Root) -> Iterator[Mistake]:
    """Find the chats' URLs that only Apprise itself can read."""
    for name, receiver in root.receivers.items():
        if receiver.apprise is None:
            continue
        from monitor.notify.apprise import check_url  # noqa: PLC0415 - it takes 20 MB, and most have other receivers

        for place, url in enumerate(receiver.apprise.urls):
            try:
                check_url(url.reveal())
            except ValueError as problem:
                yield Mistake(("receivers", name, "apprise", "urls", place), str(problem))


def templates(root: Root, folder: Path) -> tuple[dict[str, Template], list[Mistake]]:
    """Read the receivers' templates, which are named relative to the configuration; give what is wrong, too."""
    read: dict[str, Template] = {}
    mistakes: list[Mistake] = []
    for name, receiver in root.receivers.items():
        if receiver.template is None:
            continue
        path = ("receivers", name, "template")
        if receiver.apprise is None and (receiver.slack is None or receiver.slack.webhook is None):
            mistakes.append(Mistake(path, "only a Slack webhook and apprise take a template", "remove it"))
            continue
        from monitor.notify.template import BadTemplate, Template  # noqa: PLC0415 - jinja2 is slow to load

        try:
            read[name] = Template.load(folder / receiver.template)
        except BadTemplate as problem:
            mistakes.append(Mistake(path, str(problem)))
    return read, mistakes


def _unknown(name: str, there: object, path: KeyPath, what: str) -> Iterator[Mistake]:
    names = [str(each) for each in there] if isinstance(there, Mapping) else []
    if name not in names:
        yield Mistake(path, f"no such {what}", did_you_mean(name, names, "there are"))


def idle(root: Root, today: date) -> Iterator[Mistake]:
    """Give what has no effect."""
    heard, mute = (root.route.receivers, root.route.intervals) if root.route else (frozenset(), frozenset())
    heard |= {digest.receiver for digest in root.digests}
    for name, receiver in root.receivers.items():
        if name not in heard:
            yield Mistake(("receivers", name), "is used by no route", f"route: {{receiver: {name}}}")
        if receiver.apprise is not None and find_spec("apprise") is None:
            remedy = "install the extra `chat`: pip install 'pgarchitect[chat]'"
            yield Mistake(("receivers", name, "apprise"), "can deliver nothing: apprise is not installed", remedy)
    for name in root.time_intervals:
        if name not in mute:
            yield Mistake(("time_intervals", name), "is used by no route", f"mute_time_intervals: [{name}]")
    for place, entry in enumerate(root.ignore):
        if entry.ignore.over(today):
            yield Mistake(("ignore", place, "until"), "is past: this entry ignores nothing", "remove it")
