"""Reads monitor.yaml: every mistake at once, each with file, line, key, what is wrong and what was meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic import ValidationError as Invalid

from monitor.catalog import Catalog
from monitor.config.checks import (
    digest_mistakes,
    idle,
    pooler_mistakes,
    receiver_mistakes,
    replica_mistakes,
    route_mistakes,
    templates,
)
from monitor.config.discovery import Discovery, Lookout, matches
from monitor.config.model import Limits, Log, Planning, Root, Web, comes_later
from monitor.config.probes import read_yaml_probe
from monitor.config.routing import Receiver
from monitor.config.targets import AppPoolYaml
from monitor.config.values import Mistake, did_you_mean, mistakes_of
from monitor.config.yamlfile import Document, KeyPath, read_document, written
from monitor.errors import ConfigError, ConfigErrors
from monitor.findings.digest import Periodical
from monitor.findings.ignores import Ignore
from monitor.findings.inhibition import Inhibition
from monitor.findings.intervals import TimeInterval
from monitor.findings.route import Route
from monitor.model import Secret, Server

if TYPE_CHECKING:
    from monitor.notify.template import Template

KNOWN_SECTIONS = frozenset({"auth", "statements", "pools"})
"""Sections of our own probes: known also while their probe cannot be loaded."""

_ROOT: TypeAdapter[Root] = TypeAdapter(Root)


@dataclass(frozen=True, kw_only=True)
class Config:
    """A configuration without mistakes. With no `route`, nobody hears of anything."""

    file: str
    servers: tuple[Server, ...]
    catalog: Catalog
    receivers: Mapping[str, Receiver]
    route: Route | None
    intervals: Mapping[str, Sequence[TimeInterval]]
    inhibitions: tuple[Inhibition, ...]
    ignores: tuple[Ignore, ...]
    web: Web
    store_url: Secret
    retention_findings: float
    retention_statements: float
    limits: Limits
    log: Log
    planner: Planning = field(default_factory=Planning)
    compat: tuple[str, ...] = ()
    digests: tuple[Periodical, ...] = ()
    templates: Mapping[str, Template] = field(default_factory=dict)
    """By the receiver's name."""
    discovery: tuple[Discovery, ...] = ()
    discovered: tuple[Server, ...] = ()
    """Whom the files of `discovery` named when the configuration was read; they change while it stays."""
    warnings: tuple[str, ...] = ()

    @property
    def everyone(self) -> tuple[Server, ...]:
        """All servers, configured and discovered."""
        return (*self.servers, *self.discovered)


def load_config(path: Path | str, catalog: Catalog, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration for these probes; raises ConfigErrors with everything that is wrong."""
    document = read_document(Path(path), environ)
    parts = _parts(document, catalog)
    root, mistakes = _root(parts.plain, catalog)
    catalog, errors = _with_files(document, _mapping(parts.plain, "probes").get("files"), catalog)
    configured, wrong = catalog.compatible(root.compat if root else ()).configured(
        _without_files(_mapping(parts.plain, "probes")),
        _mapping(parts.plain, "rules"),
        parts.sections,
        interval=root.defaults.interval if root else None,
    )
    mistakes += [*wrong, *_contradictions(parts)]
    words, wrong = _people(root, document)
    mistakes += wrong
    errors = [*document.errors, *errors, *_new(document, mistakes)]
    if errors or root is None:
        raise ConfigErrors(errors)
    config = _config(document, root, configured, tuple(_warnings(document, root, configured, parts.sections)))
    return _discovered(root, replace(config, templates=words))


def schema(catalog: Catalog | None = None) -> dict[str, Any]:
    """Give the JSON Schema of the configuration, with the sections of the catalogue's probes."""
    made = _ROOT.json_schema()
    sections = KNOWN_SECTIONS | (catalog.sections if catalog else frozenset())
    made["properties"] |= {name: {"type": "object", "title": name.capitalize()} for name in sorted(sections)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "monitor.yaml"}


@dataclass(frozen=True)
class _Parts:
    """The top level, divided: what the models know, and what probes know."""

    plain: Mapping[str, object]
    sections: Mapping[str, object]


def _parts(document: Document, catalog: Catalog) -> _Parts:
    data = document.data if isinstance(document.data, dict) else {}
    owned = (KNOWN_SECTIONS | catalog.sections) - Root.model_fields.keys()
    # A section with nothing in it (`rules:` and comments below) says the same as none.
    plain = {
        name: value for name, value in data.items() if name not in owned and not (value is None and name != "targets")
    }
    return _Parts(plain, {name: data[name] for name in owned & data.keys()})


def _mapping(data: object, key: str) -> Mapping[str, Any]:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _without_files(probes: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in probes.items() if name != "files"}


def _root(plain: Mapping[str, object], catalog: Catalog) -> tuple[Root | None, list[Mistake]]:
    try:
        return _ROOT.validate_python(plain), []
    except Invalid as invalid:
        mistakes = mistakes_of(invalid, plain, (), _ROOT)
    sections = KNOWN_SECTIONS | catalog.sections
    return None, [_explained(mistake, sections) for mistake in mistakes]


def _explained(mistake: Mistake, sections: frozenset[str]) -> Mistake:
    """Tell a key of a later version from a slip; know the probes' sections too."""
    if mistake.problem != "no such key":
        return mistake
    if comes_later(mistake.path):
        return replace(mistake, problem="is not built yet", remedy="this key comes with a later version: remove it")
    if len(mistake.path) == 1:
        return replace(mistake, remedy=did_you_mean(str(mistake.path[0]), {*Root.model_fields, *sections}))
    return mistake


def _people(root: Root | None, document: Document) -> tuple[Mapping[str, Template], list[Mistake]]:
    """Read the receivers' templates; find what is wrong with them, with digests and with replicas."""
    if root is None:
        return {}, []
    read, mistakes = templates(root, Path(document.file).parent)
    return read, [
        *receiver_mistakes(root),
        *mistakes,
        *digest_mistakes(root),
        *replica_mistakes(root),
        *pooler_mistakes(root),
    ]


def _with_files(document: Document, patterns: object, catalog: Catalog) -> tuple[Catalog, list[ConfigError]]:
    """Add the YAML probes that `probes.files` names."""
    errors: list[ConfigError] = []
    for path in _matching(Path(document.file).parent, patterns):
        try:
            catalog = catalog.with_probe(read_yaml_probe(path))
        except ConfigErrors as found:
            errors += found.errors
        except ConfigError as misfit:
            errors.append(ConfigError(str(path), 1, "", misfit.problem, misfit.remedy))
    return catalog, errors


def _matching(folder: Path, patterns: object) -> Iterator[Path]:
    """Give each file once; a name without a star must exist, which reading it finds out."""
    seen: set[Path] = set()
    for pattern in patterns if isinstance(patterns, list) else []:
        for path in _glob(folder, str(pattern)):
            if path not in seen:
                seen.add(path)
                yield path


def _glob(folder: Path, pattern: str) -> Sequence[Path]:
    if not set(pattern) & set("*?["):
        return [folder / pattern]
    # pathlib's own glob raises on patterns such as `a**b`.
    try:
        found = glob.glob(os.path.join(glob.escape(str(folder)), pattern), recursive=True)  # noqa: PTH118, PTH207
    except ValueError:
        return []
    return sorted(map(Path, found))


def _contradictions(parts: _Parts) -> Iterator[Mistake]:
    """Find what is well by itself and wrong beside the rest."""
    targets = parts.plain.get("targets")
    names = [target.get("name") for target in targets if isinstance(target, dict)] if isinstance(targets, list) else []
    if not {"targets", "discovery"} & parts.plain.keys():
        yield Mistake(("targets",), "is required")
    for place, name in enumerate(names):
        if name is not None and name in names[:place]:
            yield Mistake(("targets", place, "name"), "another target has this name", "choose another")
    yield from route_mistakes(parts.plain, parts.plain.get("route"))
    links = _mapping(parts.sections, "auth").get("links")
    for place, link in enumerate(links if isinstance(links, list) else []):
        if isinstance(link, dict):
            yield from _link_mistakes(place, link, [str(name) for name in names], open_end="discovery" in parts.plain)
    budgets = _mapping(parts.sections, "pools").get("budgets")
    for place, budget in enumerate(budgets if isinstance(budgets, list) else []):
        target = budget.get("target") if isinstance(budget, dict) else None
        if isinstance(target, str) and target not in names and "discovery" not in parts.plain:
            remedy = did_you_mean(target, [str(name) for name in names], "there are")
            yield Mistake(("pools", "budgets", place, "target"), "no such target", remedy)


def _link_mistakes(place: int, link: Mapping[str, object], targets: list[str], *, open_end: bool) -> Iterator[Mistake]:
    """Find links that name nobody, or do not say whom of several; `open_end`: others may be discovered any moment."""
    target = link.get("target")
    if target is None and (open_end or len(targets) > 1):
        example = targets[0] if targets else "NAME"
        yield Mistake(("auth", "links", place), "needs a target, for there are several", f"target: {example}")
    if isinstance(target, str) and target not in targets and not open_end:
        remedy = did_you_mean(target, targets, "there are")
        yield Mistake(("auth", "links", place, "target"), "no such target", remedy)


def _new(document: Document, mistakes: Sequence[Mistake]) -> Iterator[ConfigError]:
    """Place mistakes; of a value that could not be read, nothing more is said."""
    unread = {error.key for error in document.errors}
    for mistake in mistakes:
        if written(mistake.path) not in unread:
            yield document.mistake(mistake.path, mistake.problem, mistake.remedy)


def _warnings(document: Document, root: Root, catalog: Catalog, sections: Mapping[str, object]) -> Iterator[str]:
    def warn(*path: str | int, problem: str, remedy: str = "") -> str:
        return str(document.mistake(path, problem, remedy))

    for mistake in idle(root, date.today()):  # noqa: DTZ011 - a day of the calendar, as somebody wrote it
        yield warn(*mistake.path, problem=mistake.problem, remedy=mistake.remedy)
    for place, target in enumerate(root.targets):
        if isinstance(target, AppPoolYaml):
            continue
        if not target.databases.include or set(target.databases.exclude) & {".*", ".+"}:
            yield warn(
                "targets", place, "databases", problem="matches no database", remedy="only the server is watched"
            )
        if any(target.dsn == other.dsn for other in root.targets[:place]):
            yield warn("targets", place, "dsn", problem="is that of another target; the server is asked twice")
    for place, pattern in enumerate(root.probes.files):
        if not _glob(Path(document.file).parent, pattern):
            yield warn("probes", "files", place, problem="matches no file")
    for path in _empty(root, Path(document.file).parent):
        yield warn(*path, problem="matches no file")
    for name in sorted(sections.keys() - catalog.sections):
        yield warn(name, problem="has no effect: its probe could not be loaded", remedy="see `monitor probes`")


def _empty(root: Root, folder: Path) -> Iterator[KeyPath]:
    """Give the patterns of `discovery` that match no file."""
    for place, entry in enumerate(root.discovery):
        for at, pattern in enumerate(entry.entry(folder).files):
            if not matches(pattern):
                yield ("discovery", place, "files", at)


def _config(document: Document, root: Root, catalog: Catalog, warnings: tuple[str, ...]) -> Config:
    return Config(
        file=document.file,
        servers=tuple(target.server for target in root.targets),
        catalog=catalog,
        receivers=root.receivers,
        route=root.route.node() if root.route else None,
        intervals=root.time_intervals,
        inhibitions=tuple(each.inhibition for each in root.inhibit),
        ignores=tuple(each.ignore for each in root.ignore),
        digests=tuple(each.periodical for each in root.digests),
        web=root.web,
        store_url=_absolute(root.store, Path(document.file)),
        retention_findings=root.retention.findings,
        retention_statements=root.retention.statements,
        limits=root.limits,
        log=root.log,
        planner=root.planner,
        compat=root.compat,
        warnings=warnings,
    )


def _discovered(root: Root, config: Config) -> Config:
    """Add whom the files of `discovery` name; a mistake in them is a warning, for they change while we run."""
    entries = tuple(each.entry(Path(config.file).parent) for each in root.discovery)
    look = Lookout().look(entries, {server.name for server in config.servers})
    wrong = [str(error) for error in (*look.broken, *look.clashes)]
    return replace(config, discovery=entries, discovered=look.servers, warnings=(*config.warnings, *wrong))


def _absolute(store: Secret, config: Path) -> Secret:
    """Make a relative SQLite path one beside the configuration file."""
    place = store.reveal().removeprefix("sqlite:///")
    return store if place.startswith(("/", "postgres")) else Secret(f"sqlite:///{config.resolve().parent / place}")
