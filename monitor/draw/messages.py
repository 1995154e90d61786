"""A user's own message templates: jinja2 in a sandbox that also ends, however the template loops or multiplies."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from monitor.measurement import duration, plural, size

CHARACTERS = 100_000
"""Of a template, of a message, and of any text or list on the way."""
STEPS = 100_000
"""Turns of loops and calls; a message of a thousand alerts takes a tenth of them."""
SECONDS = 1.0
LARGEST = 10**18
"""No number of a message is larger; powers beyond it only take time."""
EXPONENT = 64
PRINTINGS = 10
INDENT = 80
STRANGERS = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)
GLOBALS = frozenset({"dict", "namespace", "joiner", "cycler"})
FILTERS = frozenset({
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items",
    "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select",
    "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
})  # fmt: skip
METHODS = frozenset({
    "capitalize", "count", "endswith", "find", "get", "isdigit", "items", "keys", "lower", "lstrip", "removeprefix",
    "removesuffix", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper", "values",
})  # fmt: skip
"""What may be called on a text, a list or a dict: nothing that makes a long one of a short one."""


class BadTemplate(ValueError):
    """A template cannot be read, or failed; the text names file, line and the kind of fault, never a value."""


class Message:
    """A compiled template; `write` may take a second, so it is not for the event loop."""

    def __init__(
        self, name: str, source: str, variables: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._clock = name, clock
        self._sandbox = _Sandbox()
        self._alone = threading.Lock()
        if len(source) > CHARACTERS:
            raise BadTemplate(f"{name}: longer than {CHARACTERS:,} characters")
        try:
            self._template = self._compiled(source, variables)
        except TemplateSyntaxError as error:
            raise BadTemplate(f"{name}:{error.lineno}: {error.message}") from None
        except RecursionError:
            raise BadTemplate(f"{name}: nested too deeply") from None

    def write(self, variables: Mapping[str, object]) -> str:
        """Give the message, or raise BadTemplate: it raised, does not end, grows too long, or says nothing."""
        written: list[str] = []
        with self._alone:
            budget = self._sandbox.budget = _Budget(self._clock)
            try:
                for piece in self._template.generate(**variables):
                    budget.write(piece)
                    written.append(piece)
            except Exception as fault:  # noqa: BLE001 - a user's template
                raise BadTemplate(f"{self._name}{self._line(fault)}: {_kind(fault)}") from None
        text = "".join(written).strip()
        if not text:
            raise BadTemplate(f"{self._name}: it says nothing")
        return text

    def _compiled(self, source: str, variables: Collection[str]) -> Template:
        tree = self._sandbox.parse(source, name=self._name, filename=self._name)
        self.uses = frozenset(meta.find_undeclared_variables(tree))
        self._check(tree, {*variables, *self._sandbox.globals})
        counting = cast("nodes.Template", _Counting().visit(tree))
        code = self._sandbox.compile(counting, name=self._name, filename=self._name)
        return self._sandbox.template_class.from_code(self._sandbox, code, self._sandbox.make_globals(None))

    def _check(self, tree: nodes.Template, known: Collection[str]) -> None:
        for stranger in tree.find_all(STRANGERS):
            raise BadTemplate(f"{self._name}:{stranger.lineno}: it is one file, and takes nothing from others")
        known = {*known}
        unknown = meta.find_undeclared_variables(tree) - known
        for name in tree.find_all(nodes.Name):
            if name.name in unknown:
                raise BadTemplate(
                    f"{self._name}:{name.lineno}: there is no {name.name!r} (has: {', '.join(sorted(known))})"
                )

    def _line(self, fault: BaseException) -> str:
        lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == self._name]
        return f":{lines[-1]}" if lines else ""


class _Budget:
    """How much one rendering may still do; whoever overspends is stopped by a BadTemplate."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._steps = self._written = self._printed = 0
        self._ends_at = clock() + SECONDS

    def step(self) -> None:
        self._steps += 1
        if self._steps > STEPS or self._clock() > self._ends_at:
            raise BadTemplate("it does not end")

    def write(self, piece: str) -> None:
        self._written += len(piece)
        fits(self._written)

    def print(self, value: str) -> str:
        """Count what is printed, also into a macro or a block that is written later; those print it once more."""
        self._printed += len(value)
        fits(self._printed // PRINTINGS)
        return value


def fits(characters: int) -> None:
    if characters > CHARACTERS:
        raise BadTemplate("its text grows too long")


class _Sandbox(ImmutableSandboxedEnvironment):
    """One template's environment: every loop, call and growing operation passes by its budget."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, optimized=False, finalize=_printed, trim_blocks=True, lstrip_blocks=True
        )
        self.budget = _Budget(time.monotonic)
        self.globals = {name: self.globals[name] for name in GLOBALS} | {"range": _range}
        self.filters = {name: self.filters[name] for name in FILTERS} | dict(OWN_FILTERS)

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.budget.step()
        return super().call(context, called, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.budget.step()
        numbers = [side for side in (left, right) if isinstance(side, int | float)]
        lengths = [len(side) for side in (left, right) if hasattr(side, "__len__")]
        if operator == "%" and lengths:
            raise SecurityError("a width of it may be any number")
        if operator == "**" and any(abs(number) > EXPONENT for number in numbers[1:]):
            raise BadTemplate("its numbers grow too large")
        if any(abs(number) > LARGEST for number in numbers):
            raise BadTemplate("its numbers grow too large")
        fits(int(sum(lengths) * max(1, *numbers, 1) if operator == "*" else sum(lengths)))
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        return None  # so `format` is refused as any other method that is not in METHODS

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if callable(value) and isinstance(obj, str | bytes | dict | list | tuple) and attr not in METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)


class _Counting(NodeTransformer):
    """Lets each loop and each `~` of a template pass by the budget."""

    def visit_For(self, loop: nodes.For) -> nodes.For:  # noqa: N802 - jinja2's name
        self.generic_visit(loop)
        loop.iter = _filtered(cast("nodes.Expr", loop.iter), "_counted")
        return loop

    def visit_Concat(self, joint: nodes.Concat) -> nodes.Filter:  # noqa: N802 - jinja2's name
        self.generic_visit(joint)
        return _filtered(nodes.List(joint.nodes, lineno=joint.lineno), "_joined")


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _budget(context: Context) -> _Budget:
    sandbox = context.environment
    if not isinstance(sandbox, _Sandbox):
        raise TypeError("a message is rendered in its sandbox")
    return sandbox.budget


# With its context a function cannot be reckoned out while the template is compiled, where no budget stands.
@pass_context
def _printed(context: Context, value: object) -> str:
    return _budget(context).print(str(value))


@pass_context
def _counted(context: Context, items: Iterable[object]) -> Iterator[object]:
    budget = _budget(context)
    for item in items:
        budget.step()
        yield item


@pass_context
def _joined(_context: Context, pieces: list[object]) -> str:
    return _join(pieces)


def _join(items: Iterable[object], glue: str = "", attribute: str | None = None) -> str:
    """Join texts as jinja2's own filter does, but no longer than fits."""
    texts: list[str] = []
    length = 0
    for item in items:
        texts.append(str(item if attribute is None else item[attribute]))  # type: ignore[index]
        length += len(texts[-1]) + len(glue)
        fits(length)
    return glue.join(texts)


def _replace(text: str, old: str, new: str) -> str:
    fits(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new)


def _indent(text: str, width: int = 4, first: bool = False) -> str:  # noqa: FBT001, FBT002 - as jinja2's own
    margin = " " * min(width, INDENT)
    fits(len(text) + (text.count("\n") + 1) * len(margin))
    return (margin if first else "") + text.replace("\n", "\n" + margin)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    fits(len(numbers))
    return numbers


def _sql(statements: Iterable[str]) -> str:
    """Write statements one below the other, each with its semicolon, which a closing comment must not swallow."""
    bare = [statement.strip().rstrip(";") for statement in statements]
    return "\n".join(each + ("\n;" if "--" in each.rpartition("\n")[2] else ";") for each in bare)


def _tojson(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


OWN_FILTERS: Mapping[str, Callable[..., object]] = {
    "_counted": _counted,
    "_joined": _joined,
    "duration": duration,
    "indent": _indent,
    "join": _join,
    "plural": plural,
    "replace": _replace,
    "size": size,
    "sql": _sql,
    "tojson": _tojson,
}


def _kind(fault: Exception) -> str:
    match fault:
        case BadTemplate():
            return str(fault)
        case UndefinedError():
            return "it uses a name that is not there"
        case SecurityError():
            return "it does what a template may not"
        case RecursionError():
            return "it does not end"
        case _:
            return f"it raises {type(fault).__name__}"
