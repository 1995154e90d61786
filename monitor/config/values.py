"""Validates settings against dataclasses and models: durations, sizes, and messages with a "did you mean"."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, make_dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema
from pydantic import ValidationError as Invalid
from pydantic.errors import PydanticInvalidForJsonSchema

from monitor.config.yamlfile import KeyPath
from monitor.measurement import GIB, KIB, MIB
from monitor.model import Secret

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES: Final = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|min|s|m|h|d|w)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(B|KiB|MiB|GiB|TiB)\Z")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?\Z")
_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_WORDS: Final = {
    **dict.fromkeys(("model_type", "dataclass_type", "dict_type", "mapping_type"), "should be a mapping of keys"),
    **dict.fromkeys(("tuple_type", "list_type", "iterable_type"), "should be a list, such as [one, two]"),
    **dict.fromkeys(("float_type", "float_parsing", "int_type", "int_parsing"), "should be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    "int_from_float": "should be a whole number",
    "finite_number": "should be a finite number",
    "string_type": "should be a text",
    "string_pattern_mismatch": "does not look right; it should match {pattern}",
    "greater_than": "should be more than {gt:g}",
    "greater_than_equal": "should be at least {ge:g}",
    "less_than_equal": "should be at most {le:g}",
}


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a key path; who knows the file makes a ConfigError of it."""

    path: KeyPath
    problem: str
    remedy: str = ""


@dataclass(frozen=True)
class Setting:
    """One thing that can be set: its name, its type as annotated, and its present value."""

    name: str
    type: Any
    default: object


def seconds(text: str) -> float:
    """Read `30s`, `1.5h`, `250ms`, `1h30m` as seconds; raises ValueError."""
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip():
        raise ValueError("should be a duration such as 250ms, 30s, 5m, 2h or 7d")
    return sum(float(count) * _SECONDS[unit] for count, unit in parts)


def size_bytes(text: str) -> float:
    """Read `64MiB` or `4GiB` as bytes; raises ValueError."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise ValueError("should be a size such as 512KiB, 64MiB or 4GiB")
    return float(match[1]) * _BYTES[match[2]]


def quantity(name: str) -> Callable[[object], object]:
    """Make the reader of a number: texts may carry a unit, which the setting's name (`_ms`, `_bytes`) narrows."""

    def read(value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("should be a number")  # noqa: TRY004 - pydantic collects ValueErrors only
        if not isinstance(value, str) or _NUMBER.match(value):
            return value
        if name.endswith("_ms"):
            return seconds(value) * 1000
        if name.endswith("_bytes") or _SIZE.match(value.strip()):
            return size_bytes(value)
        return seconds(value)

    return read


def web_address(text: str) -> str:
    """Check a URL of the web; raises ValueError."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("cannot be read as a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be a URL; it begins with https:// or http:// and names a host")
    return text


def secret(value: object) -> Secret:
    """Take a text out of sight."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("should be a text; name it by !env NAME or !file PATH")
    return Secret(value)


Seconds = Annotated[
    float,
    BeforeValidator(quantity("seconds")),
    Field(ge=0, allow_inf_nan=False),
    WithJsonSchema({"type": ["number", "string"], "description": "seconds, or a duration such as 30s, 5m, 2h, 7d"}),
]
SecretText = Annotated[Secret, PlainValidator(secret), WithJsonSchema({"type": "string"})]


def settings_of(instance: object, only: Sequence[str] | None = None) -> list[Setting]:
    """List the fields of a dataclass instance with their present values."""
    if not dataclasses.is_dataclass(instance) or isinstance(instance, type):
        return []
    hints = get_type_hints(type(instance), include_extras=True)
    names = [field.name for field in dataclasses.fields(instance) if field.init]
    return [Setting(name, hints[name], getattr(instance, name)) for name in names if only is None or name in only]


def adapter(settings: Iterable[Setting], title: str = "Settings") -> TypeAdapter[Any]:
    """Make the validator of a mapping that may set any of these and nothing else."""
    return TypeAdapter(_twin(title, [(item.name, item.type, partial(getattr, item, "default")) for item in settings]))


def read_settings(settings: Sequence[Setting], given: object, path: KeyPath) -> tuple[dict[str, Any], list[Mistake]]:
    """Validate what is given for these settings; nothing given changes nothing."""
    if given is None:
        return {}, []
    kind = adapter(settings)
    try:
        made = kind.validate_python(given)
    except Invalid as invalid:
        return {}, mistakes_of(invalid, given, path, kind, "setting")
    wanted = given if isinstance(given, Mapping) else {}
    return {item.name: getattr(made, item.name) for item in settings if item.name in wanted}, []


def _twin(title: str, wanted: list[tuple[str, Any, Callable[[], object] | None]]) -> type:
    """Make a dataclass that looks the same and reads units, so that the author's class needs no pydantic."""
    parts = [
        (name, _readable(kind, name), dataclasses.field(default_factory=make) if make else dataclasses.field())
        for name, kind, make in wanted
    ]
    namespace = {"__pydantic_config__": ConfigDict(extra="forbid", arbitrary_types_allowed=True)}
    return make_dataclass(title, parts, frozen=True, kw_only=True, namespace=namespace)


def _readable(kind: Any, name: str) -> Any:
    """Replace numbers, secrets and dataclasses inside a type by what can be read from YAML."""
    if kind in {float, int}:
        finite = Field(allow_inf_nan=False) if kind is float else Field()
        shown = WithJsonSchema({"type": ["number", "string"]})
        return Annotated[kind, BeforeValidator(quantity(name)), finite, shown]
    if kind is Secret:
        return SecretText
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return Annotated[_nested(kind), AfterValidator(lambda made: kind(**_shallow(made)))]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None or origin is Literal:
        return kind
    inner = tuple(argument if argument is Ellipsis else _readable(argument, name) for argument in arguments)
    if origin in {Union, types.UnionType}:
        return Union[inner]  # noqa: UP007 - of a tuple known only now
    return Annotated[(inner[0], *arguments[1:])] if origin is Annotated else origin[inner]


def _nested(kind: Any) -> type:
    hints = get_type_hints(kind, include_extras=True)
    parts = [(field.name, hints[field.name], _default(field)) for field in dataclasses.fields(kind)]
    return _twin(kind.__name__, parts)


def _default(field: dataclasses.Field[Any]) -> Callable[[], object] | None:
    if field.default is not dataclasses.MISSING:
        return lambda: field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory


def _shallow(made: Any) -> dict[str, object]:
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}


def mistakes_of(
    invalid: Invalid, given: object, path: KeyPath, kind: TypeAdapter[Any], word: str = "key"
) -> list[Mistake]:
    """Turn pydantic's complaints into ours, one a key; what was given is not repeated in them."""
    found: dict[KeyPath, Mistake] = {}
    for error in invalid.errors(include_url=False):
        place = _place(given, error["loc"], open_end=error["type"] in {"missing", "missing_argument"})
        found.setdefault(place, _mistake(path, place, dict(error), kind, word))
    return list(found.values())


def _place(given: object, loc: tuple[str | int, ...], *, open_end: bool) -> KeyPath:
    """Cut from pydantic's location what is no key of the document, such as the name of a union's branch."""
    place: list[str | int] = []
    for part in loc:
        inside = range(len(given)) if isinstance(given, list) else given if isinstance(given, Mapping) else ()
        if part not in inside:
            continue
        given = given[part]  # type: ignore[index]  # it is inside
        place.append(part)
    return (*place, loc[-1]) if open_end else tuple(place)


def _mistake(path: KeyPath, place: KeyPath, error: Mapping[str, Any], kind: TypeAdapter[Any], word: str) -> Mistake:
    whole = (*path, *place)
    if error["type"] in _UNKNOWN_KEY:
        known = known_keys(kind, place[:-1])
        if place[-1] in known:
            return Mistake(whole, f"no such {word} here", "it belongs to another kind of entry")
        return Mistake(whole, f"no such {word}", did_you_mean(str(place[-1]), known))
    if error["type"] in {"missing", "missing_argument"}:
        return Mistake(whole, "is required")
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return Mistake(whole, "should be a text", "put it in quotes")
    problem, _, remedy = _in_our_words(error).partition("; ")
    expected = re.findall(r"'([^']+)'", str(error.get("ctx", {}).get("expected", "")))
    close = difflib.get_close_matches(str(error["input"]), expected, 1)
    return Mistake(whole, problem, f"did you mean {close[0]}?" if close else remedy)


def _in_our_words(error: Mapping[str, Any]) -> str:
    if error["type"] in _WORDS:
        return _WORDS[error["type"]].format_map(error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "should be")


def did_you_mean(word: str, known: Iterable[str], label: str = "has") -> str:
    """Suggest the nearest known word, and list a few dozen of them."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, 1)
    listed = f"{label}: {', '.join(names)}" if names else ""
    return f"did you mean {close[0]}? ({listed})" if close else listed


def known_keys(kind: TypeAdapter[Any], place: KeyPath) -> list[str]:
    """List the keys a mapping at this place may have, by the JSON Schema."""
    try:
        schema = kind.json_schema()
    except PydanticInvalidForJsonSchema:
        return []
    nodes = _branches(schema, schema)
    for part in place:
        nodes = [inner for node in nodes for below in _below(node, part) for inner in _branches(schema, below)]
    return [name for node in nodes for name in node.get("properties", {})]


def _branches(schema: dict[str, Any], node: Any) -> list[dict[str, Any]]:
    """Follow a reference or a choice to the schemas behind it."""
    if not isinstance(node, dict):
        return []
    if "$ref" in node:
        return _branches(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    return [
        node,
        *(inner for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())) for inner in _branches(schema, branch)),
    ]


def _below(node: dict[str, Any], part: str | int) -> list[Any]:
    if isinstance(part, int):
        return [node.get("items")]
    named = node.get("properties", {}).get(part)
    return [named, node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
