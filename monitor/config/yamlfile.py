"""Reads a YAML file into plain values that remember their lines; fills in `!env`, `!file` and `${NAME}`.

Scalars follow YAML 1.2: `no`, `on`, `12:30`, `007` and dates stay texts, so a database called `no` is one.
What a secret holds never gets into a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from monitor.errors import ConfigError, ConfigErrors

KeyPath: TypeAlias = tuple[str | int, ...]
Lines: TypeAlias = dict[KeyPath, int]

_PLACE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+)\Z")
_WORDS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_STANDARD = "tag:yaml.org,2002:"
_MOST_NODES = 100_000


@dataclass(frozen=True, kw_only=True)
class Document:
    """The values of one file with the line of every key path, and the mistakes met while reading it."""

    file: str
    data: object
    lines: Mapping[KeyPath, int]
    errors: tuple[ConfigError, ...] = ()

    def mistake(self, path: KeyPath, problem: str, remedy: str = "") -> ConfigError:
        """Place a mistake at the line of its key, or of the nearest key above it."""
        known = next((path[:size] for size in range(len(path), -1, -1) if path[:size] in self.lines), ())
        return ConfigError(self.file, self.lines.get(known, 0), written(path), problem, remedy)


def written(path: KeyPath) -> str:
    """Write a key path for people: `targets[0].dsn`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_document(path: Path, environ: Mapping[str, str] | None = None) -> Document:
    """Read a file; without `environ` nothing is filled in (SQL has `$$` of its own).

    Raises ConfigErrors when it is not one YAML mapping. Other mistakes are in the document's `errors`.
    """
    file = str(path)
    node = _composed(file, _text(path))
    if not isinstance(node, yaml.MappingNode):
        problem = "is empty" if node is None or getattr(node, "value", None) == "" else "is not a mapping of keys"
        raise ConfigErrors([ConfigError(file, 0, "", problem, "begin with a line such as `targets:`")])
    builder = _Builder(file=file, folder=path.parent, environ=environ)
    try:
        data = builder.value(node, ())
    except RecursionError:
        raise ConfigErrors([ConfigError(file, 0, "", "is nested too deeply")]) from None
    return Document(file=file, data=data, lines=builder.lines, errors=tuple(builder.errors))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        problem, remedy = "is not UTF-8 text", "save it as UTF-8"
    except FileNotFoundError:
        problem, remedy = "no such file", "`monitor init` writes one"
    except IsADirectoryError:
        problem, remedy = "is a directory", "name the file in it"
    except OSError as error:
        problem, remedy = f"cannot be read: {error.strerror}", ""
    except ValueError:
        problem, remedy = "is no file name", ""
    raise ConfigErrors([ConfigError(str(path), 0, "", problem, remedy)])


def _composed(file: str, text: str) -> yaml.Node | None:
    """Parse; the parser's own message is cut to its problem, for its excerpt of the line may hold a secret."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigErrors([ConfigError(file, line, "", f"is not YAML: {error.problem}")]) from None
    except (yaml.YAMLError, ValueError):
        raise ConfigErrors([ConfigError(file, 0, "", "is not YAML: it holds a character that no text has")]) from None
    except RecursionError:
        raise ConfigErrors([ConfigError(file, 0, "", "is nested too deeply")]) from None
    return node


@dataclass(kw_only=True)
class _Builder:
    """Walks the nodes of one file once, and notes lines and mistakes as it goes."""

    file: str
    folder: Path
    environ: Mapping[str, str] | None
    lines: Lines = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    _seen: int = 0

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        """Give a node's value; a node inside itself, or too many of them, is a mistake."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        self._seen += 1
        if id(node) in self._open or self._seen > _MOST_NODES:
            return self._wrong(node, path, "refers to itself, or unfolds into too much")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if not node.tag.startswith(_STANDARD):
            return self._wrong(node, path, f"{node.tag} takes one word", "write `!env NAME` or `!file PATH`")
        self._open.add(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        finally:
            self._open.discard(id(node))

    def _list(self, node: yaml.Node, path: KeyPath) -> list[object]:
        return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        merged: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(key_node, path, "a key must be one word")
            elif key == "<<" and key_node.style is None:
                merged |= self._merged(value_node, path)
            elif key in lines:
                self._wrong(key_node, (*path, key), f"is given twice; first on line {lines[key]}")
            else:
                lines[key] = self.lines[*path, key] = line
                values[key] = self.value(value_node, (*path, key))
        return {**merged, **values}

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, object]:
        """Give the keys that `<<` brings in: of one mapping, or of several with the first winning."""
        value = self.value(node, path)
        several = value if isinstance(value, list) else [value]
        mappings = [item for item in several if isinstance(item, dict)]
        if len(mappings) != len(several):
            self._wrong(node, path, "<< takes a mapping or a list of mappings")
        return {key: kept for mapping in reversed(mappings) for key, kept in mapping.items()}

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        text = str(node.value)
        if node.tag in {"!env", "!file"} and self.environ is not None:
            return self._filled(node, path, self._expanded(node, path, text))
        if not node.tag.startswith(_STANDARD):
            remedy = "" if self.environ is None else "known are !env NAME and !file PATH"
            return self._wrong(node, path, f"the tag {node.tag} has no meaning here", remedy)
        if node.style is None and "$" not in text:
            return _plain(text)
        return self._expanded(node, path, text)

    def _expanded(self, node: yaml.Node, path: KeyPath, text: str) -> str:
        environ = self.environ
        if environ is None:
            return text
        missing = {name for name in _PLACE.findall(text) if name and name not in environ}
        for name in sorted(missing):
            self._wrong(node, path, f"the environment has no {name}", "set it, or write $$ for a dollar sign")
        return _PLACE.sub(lambda place: environ.get(place[1], "") if place[1] else "$", text)

    def _filled(self, node: yaml.Node, path: KeyPath, name: str) -> object:
        environ = self.environ or {}
        if node.tag == "!env":
            return environ[name] if name in environ else self._wrong(node, path, f"the environment has no {name}")
        try:
            return (self.folder / name).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            return self._wrong(node, path, f"the file {name} cannot be read: {error.strerror}")
        except ValueError:
            return self._wrong(node, path, f"the file {name} is not UTF-8 text")

    def _wrong(self, node: yaml.Node, path: KeyPath, problem: str, remedy: str = "") -> str:
        """Note a mistake; the empty text stands in for the value, and further complaints about it are left out."""
        self.errors.append(ConfigError(self.file, node.start_mark.line + 1, written(path), problem, remedy))
        return ""


def _plain(text: str) -> object:
    """Read an unquoted scalar as YAML 1.2 does."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text
