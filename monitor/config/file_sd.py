"""Reads one file of Prometheus' file_sd, YAML or JSON: a list of {targets: [address, …], labels: {…}}.

Thousands of entries are read event by event, so that a thread that does it lets others run. Scalars stay the texts
they are, as Prometheus takes them. A message never repeats what stands in the place of an address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from monitor.config.labels import check_label
from monitor.config.yamlfile import KeyPath, written
from monitor.errors import ConfigError, ConfigErrors

NAME: Final = "__name"
"""The label that names a target; left out, its address does. Other labels that begin with __ are not taken over."""

MOST_TARGETS = 10_000
"""Per file."""

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_ADDRESS = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?")
_PLAIN_NAME = re.compile(r"[^\s/]{1,100}")
_RENAME = f"an entry of its own with the label {NAME} gives it one"
_HIGHEST_PORT = 65535
_DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class Found:
    """One target as a file names it."""

    name: str
    address: str
    labels: Mapping[str, str]
    file: str
    line: int
    """0 where the form of the file has no lines to tell (JSON)."""


def read_targets(file: str, content: bytes) -> tuple[Found, ...]:
    """Read a file's content; raises ConfigErrors with everything that is wrong with it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigErrors([ConfigError(file, 0, "", "is not UTF-8 text", "save it as UTF-8")]) from None
    if not text.strip():
        raise ConfigErrors([ConfigError(file, 0, "", "is empty", "write [] to name no target")])
    reader = _Reader(file=file)
    found = tuple(reader.targets(_json(file, text) if file.endswith(".json") else _Events(file, text, reader).read()))
    if reader.errors:
        raise ConfigErrors(reader.errors)
    return found


def _json(file: str, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigErrors([ConfigError(file, error.lineno, "", f"is not JSON: {error.msg}")]) from None
    except RecursionError:
        raise ConfigErrors([ConfigError(file, 0, "", "is nested too deeply")]) from None


class _Events:
    """Makes lists, mappings and texts of YAML's events, and notes the line of each."""

    def __init__(self, file: str, text: str, reader: _Reader) -> None:
        self._file, self._reader = file, reader
        self._events = iter(yaml.parse(text, Loader=_LOADER))

    def read(self) -> object:
        """Give the one document; raises ConfigErrors."""
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    root = self._value(self._next(), ())
                    break
            else:
                return None
            if any(isinstance(event, yaml.DocumentStartEvent) for event in self._events):
                raise self._wrong(0, "holds several documents; make one list of them")
        except yaml.MarkedYAMLError as error:
            raise self._wrong(
                error.problem_mark.line + 1 if error.problem_mark else 0, f"is not YAML: {error.problem}"
            ) from None
        except (yaml.YAMLError, ValueError):
            raise self._wrong(0, "is not YAML: it holds a character that no text has") from None
        return root

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _value(self, event: yaml.Event, path: KeyPath) -> object:
        self._reader.lines[path] = _line(event)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) or len(path) > _DEEPEST:
            raise self._wrong(_line(event), "uses an alias, or is nested too deeply; write it out")
        if event.tag not in {None, "!"} and not event.tag.startswith("tag:yaml.org,2002:"):
            raise self._wrong(_line(event), f"the tag {event.tag} has no meaning here; no secrets belong in this file")
        if isinstance(event, yaml.ScalarEvent):
            return event.value
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._list(path)

    def _list(self, path: KeyPath) -> list[object]:
        values: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._wrong(_line(event), "a key must be one word")
            if event.value in values:
                raise self._wrong(_line(event), "a key is given twice")
            values[event.value] = self._value(self._next(), (*path, event.value))
        return values

    def _wrong(self, line: int, problem: str) -> ConfigErrors:
        return ConfigErrors([ConfigError(self._file, line, "", problem)])


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


@dataclass(kw_only=True)
class _Reader:
    """Walks the plain values, and notes mistakes as it goes."""

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)

    def targets(self, root: object) -> Iterator[Found]:
        """Give what the groups name; of two targets with one name the second is a mistake."""
        if not isinstance(root, list):
            self._wrong((), "is no list", "write - targets: [HOST:PORT]")
            return
        seen: dict[str, Found] = {}
        for place, group in enumerate(root):
            for found, path in self._group(group, (place,)):
                if found.name in seen:
                    line = seen[found.name].line
                    first = f"; first on line {line}" if line else ""
                    self._wrong(path, f"another target is named {found.name}{first}", _RENAME)
                elif len(seen) == MOST_TARGETS:
                    self._wrong(path, f"is one too many: a file names {MOST_TARGETS} targets at most")
                    return
                else:
                    seen[found.name] = found
                    yield found

    def _group(self, group: object, path: KeyPath) -> Iterator[tuple[Found, KeyPath]]:
        if not isinstance(group, Mapping):
            self._wrong(path, "should be a mapping", "write targets: [HOST:PORT]")
            return
        for key in group.keys() - {"targets", "labels"}:
            self._wrong((*path, key), "no such key", "has: labels, targets; no secrets belong in this file")
        labels = self._labels(group.get("labels", {}), (*path, "labels"))
        addresses = group.get("targets")
        if not isinstance(addresses, list):
            self._wrong((*path, "targets"), "should be a list", "write targets: [HOST:PORT]")
            return
        shown = {name: value for name, value in labels.items() if not name.startswith("__")}
        for place, address in enumerate(addresses):
            where = (*path, "targets", place)
            if not isinstance(address, str) or not _addressed(address):
                self._wrong(
                    where, "is no address", "write HOST, HOST:PORT or [IPV6]:PORT; the rest is the dsn's to say"
                )
            elif not _PLAIN_NAME.fullmatch(name := labels.get(NAME, address)):
                self._wrong(where, "has no usable name: one to 100 characters, no blank, no /", _RENAME)
            else:
                line = self._line(where)
                yield Found(name=name, address=address, labels=shown, file=self.file, line=line), where

    def _labels(self, given: object, path: KeyPath) -> Mapping[str, str]:
        if given == "":  # `labels:` with nothing behind it
            return {}
        if not isinstance(given, Mapping):
            self._wrong(path, "should be a mapping of names to texts")
            return {}
        return {name: value for name, value in given.items() if self._labelled(name, value, (*path, name))}

    def _labelled(self, name: str, value: object, path: KeyPath) -> bool:
        if not isinstance(value, str):
            return self._wrong(path, "should be a text")
        if name.startswith("__"):
            return True
        try:
            check_label(name)
        except ValueError as error:
            return self._wrong(path, str(error))
        return True

    def _line(self, path: KeyPath) -> int:
        return next((self.lines[path[:size]] for size in range(len(path), -1, -1) if path[:size] in self.lines), 0)

    def _wrong(self, path: KeyPath, problem: str, remedy: str = "") -> bool:
        """Note a mistake; always False."""
        self.errors.append(ConfigError(self.file, self._line(path), written(path), problem, remedy))
        return False


def _addressed(text: str) -> bool:
    match = _ADDRESS.fullmatch(text)
    return match is not None and (match[1] is None or 0 < int(match[1]) <= _HIGHEST_PORT)
