"""Conditions as EXPLAIN deparses them, read term by term: which column or expression is matched how, with what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import pgparse

from monitor.sqltext import identifier, nodes_of

Reference: TypeAlias = tuple[str, str]
"""An alias and a column, unquoted; the column is "*" of a whole row, the alias "" where there is none."""
Tree: TypeAlias = Mapping[str, object]

DEPTH = 20
"""So deep may ANDs and ORs stand in each other."""
_TOKEN = re.compile(
    r"""E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d][\w$]*|\$\d+|\d[\w.]*|\S""",
    re.DOTALL | re.IGNORECASE,
)
_PLANS = re.compile(
    r"""(E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")"""
    r"""|\((?:hashed |alternatives: )?(?:SubPlan|InitPlan) \d+[^()]*\)(?:\.col\d+)?"""
)
_OPERATOR = re.compile(rb"\s*(?:operator\s*\([^)]*\)|[-+*/<>=~!@#%^&|`?]+)", re.IGNORECASE)
_QUALIFIER = re.compile(rb'(?:"(?:[^"]|"")*"|[^\s."()]+)\.')
_OPENING, _CLOSING = frozenset({"(", "[", "case"}), frozenset({")", "]", "end"})
_WHERE = b"select 1 where "
_ORDER = b"select 1 order by "


class Match(StrEnum):
    """How a term matches what stands on its left."""

    EQUAL = "="
    IN = "in"
    RANGE = "range"
    PREFIX = "prefix"
    LIKE = "like"
    """The pattern is not known: it may be a prefix or stand anywhere."""
    INFIX = "infix"
    ILIKE = "ilike"
    REGEX = "regex"
    SIMILAR = "similar"
    NULL = "is null"
    NOT_NULL = "is not null"
    TRUE = "true"
    FALSE = "false"
    CONTAINS = "@>"
    CONTAINED = "<@"
    OVERLAPS = "&&"
    HAS = "?"
    SEARCH = "@@"
    UNEQUAL = "<>"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison."""

    text: str
    columns: tuple[Reference, ...] = ()
    column: str = ""
    """The column, where it is nothing but one, perhaps cast."""
    cast: str = ""
    """The type's last name that the column is cast to."""
    collation: str = ""
    parameter: int = -1
    """The number of the parameter that it is."""
    value: str | None = None
    """The constant that it is; never to be shown."""
    tree: Tree = field(default_factory=dict, compare=False, repr=False)

    @property
    def alias(self) -> str | None:
        """The one relation whose columns it holds; None: of none, or of several."""
        aliases = {alias for alias, _ in self.columns}
        return aliases.pop() if len(aliases) == 1 else None


NOTHING = Side(text="")


@dataclass(frozen=True, kw_only=True)
class Term:
    """A comparison; `right` is NOTHING where it compares with nothing."""

    text: str
    match: Match
    left: Side
    right: Side = NOTHING

    @property
    def sides(self) -> Iterator[Term]:
        """Give it as each side sees it that may be looked up: `a.x = b.y` for both."""
        yield self
        turned = _TURNED.get(self.match)
        if turned is not None and self.right.columns:
            yield Term(text=self.text, match=turned, left=self.right, right=self.left)


@dataclass(frozen=True, kw_only=True)
class Either:
    """Arms of an OR; each is terms that must hold together."""

    arms: tuple[tuple[Condition, ...], ...]


Condition: TypeAlias = "Term | Either"

_TURNED: Mapping[Match, Match] = {
    Match.EQUAL: Match.EQUAL,
    Match.RANGE: Match.RANGE,
    Match.CONTAINS: Match.CONTAINED,
    Match.CONTAINED: Match.CONTAINS,
    Match.OVERLAPS: Match.OVERLAPS,
}
_MATCHES: Mapping[str, Match] = {
    "=": Match.EQUAL,
    "<>": Match.UNEQUAL,
    **dict.fromkeys(("<", ">", "<=", ">="), Match.RANGE),
    **dict.fromkeys(("~>=~", "~<~", "^@"), Match.PREFIX),
    "~~": Match.LIKE,
    "~~*": Match.ILIKE,
    **dict.fromkeys(("~", "~*"), Match.REGEX),
    "%": Match.SIMILAR,
    "@>": Match.CONTAINS,
    "<@": Match.CONTAINED,
    "&&": Match.OVERLAPS,
    **dict.fromkeys(("?", "?|", "?&"), Match.HAS),
    "@@": Match.SEARCH,
}
_TESTS = {"IS_NULL": Match.NULL, "IS_NOT_NULL": Match.NOT_NULL, "IS_TRUE": Match.TRUE, "IS_FALSE": Match.FALSE}


def conditions(text: str) -> tuple[Condition, ...]:
    """Split a condition at AND, and read each term; what cannot be read is a term that matches somehow else."""
    return _conditions(_PLANS.sub(lambda found: found[1] or "($0)", text), DEPTH)


def _conditions(text: str, depth: int) -> tuple[Condition, ...]:
    return tuple(_condition(part, depth) for part in _split(text, "and"))


def references(text: str) -> tuple[Reference, ...]:
    """Give the columns that an expression of a plan names; none where it cannot be read."""
    tree = _parsed(_ORDER, _PLANS.sub(lambda found: found[1] or "($0)", text))
    return tuple(found for found, _ in _references(tree)) if tree else ()


def canonical(text: str) -> str:
    """Give an expression as a text that is the same however it is spaced, put in parentheses or qualified."""
    tree = _parsed(_WHERE, _bare(text)) if text else None
    return repr(_plain(tree)) if tree else " ".join(_bare(text).split())


def _plain(tree: object) -> object:
    """Leave out of a tree what does not change its meaning."""
    if isinstance(tree, list):
        return [_plain(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    names = {"funcname", "names"}
    return {
        name: _strings(node)[-1:] if name in names else _plain(node)
        for name, node in sorted(tree.items())
        if name not in {"location", "funcformat", "rexpr_list_start", "rexpr_list_end"}
    }


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """One key that rows are sorted by."""

    key: Side
    descending: bool = False
    nulls_first: bool = False


def ordered(text: str) -> Ordered | None:
    """Read a sort key as plans show it: `t.a DESC NULLS LAST`; None where it orders by an operator of its own."""
    tree = _parsed(_ORDER, text)
    sort = _inner(tree[0] if isinstance(tree, list) and len(tree) == 1 else None, "SortBy")
    node = sort.get("node")
    direction, nulls = sort.get("sortby_dir"), sort.get("sortby_nulls")
    if not isinstance(node, dict) or direction == "SORTBY_USING":
        return None
    descending = direction == "SORTBY_DESC"
    first = nulls == "SORTBY_NULLS_FIRST" if nulls != "SORTBY_NULLS_DEFAULT" else descending
    words = re.sub(r"(?i)\s+nulls\s+(first|last)\Z", "", text.strip())
    return Ordered(
        key=_side(re.sub(r"(?i)\s+(asc|desc)\Z", "", words), _ORDER), descending=descending, nulls_first=first
    )


def function(tree: Tree) -> str:
    """Give the name of the function that an expression is a call of, without its schema; "" where it is none."""
    return _last(_inner(tree, "FuncCall").get("funcname"))


def operator(tree: Tree) -> str:
    """Give the operator that an expression is made with; "" where it is made otherwise."""
    return _name(_inner(tree, "A_Expr"))


def begins(side: Side) -> int:
    """Give the number of the parameter that a pattern begins with, as in `$1 || '%'`; 0 where it begins otherwise."""
    return next((number for number in _joined(side.tree)[:1] if isinstance(number, int)), 0)


def ends_open(side: Side) -> bool:
    """Tell whether a pattern is a parameter with nothing but a wildcard behind it."""
    return _joined(side.tree)[1:] == ["%"]


def opens_with_wildcard(side: Side) -> bool:
    """Tell whether a pattern begins with a wildcard."""
    return any(isinstance(first, str) and first[:1] in {"%", "_"} for first in _joined(side.tree)[:1])


def denies_list(sql: str) -> bool:
    """Tell whether a statement asks for NOT IN (SELECT …)."""
    denials = [node for name, node in _nodes(sql) if name == "BoolExpr" and node.get("boolop") == "NOT_EXPR"]
    lists = [_inner(each, "SubLink") for node in denials for each in _list(node.get("args"))]
    return any(each.get("subLinkType") == "ANY_SUBLINK" and not each.get("operName") for each in lists)


def has_offset(sql: str) -> bool:
    """Tell whether a statement itself skips rows."""
    select = next((node for name, node in _nodes(sql) if name == "SelectStmt"), {})
    return "limitOffset" in select


def _nodes(sql: str) -> list[tuple[str, dict[str, object]]]:
    try:
        return [*nodes_of(pgparse.parse(sql))]
    except pgparse.PGQueryError:
        return []


def _list(nodes: object) -> list[object]:
    return nodes if isinstance(nodes, list) else []


def _joined(tree: Tree) -> list[int | str | None]:
    """Give the parts that `||` puts together: parameters by their number, constants, None for anything else."""
    core, _ = _core(tree) if tree else (tree, "")
    expression = _inner(core, "A_Expr")
    if expression and _name(expression) == "||":
        left, right = expression.get("lexpr"), expression.get("rexpr")
        return [
            *(_joined(left) if isinstance(left, dict) else ()),
            *(_joined(right) if isinstance(right, dict) else ()),
        ]
    number = _parameter(core)
    return [number if number > 0 else _value(core)]


def extremes(text: str) -> Side | None:
    """Give what `min(x)` or `max(x)` is taken of; None where an output of a plan is none."""
    found = re.fullmatch(r"(?is)\s*\(?(?:partial )?(?:min|max)(\(.*\))\s*", text)
    side = _side(found[1], _WHERE) if found and _closes(found[1]) == len(found[1]) else None
    return side if side and side.column else None


def _condition(text: str, depth: int) -> Condition:
    arms = _split(text, "or") if depth else []
    if len(arms) > 1:
        return Either(arms=tuple(_conditions(arm, depth - 1) for arm in arms))
    bare = _bare(text)
    tree = _parsed(_WHERE, bare)
    return _term(bare, tree) if isinstance(tree, dict) else Term(text=bare, match=Match.OTHER, left=NOTHING)


def _term(text: str, tree: Tree) -> Term:
    """Read one comparison whose operator, by its place in the text, divides the sides."""
    ((kind, node),) = tree.items()
    if kind == "A_Expr" and isinstance(node, dict) and "lexpr" in node:
        return _compared(text, node)
    if kind in {"NullTest", "BooleanTest"} and isinstance(node, dict):
        test = str(node.get("nulltesttype") or node.get("booltesttype"))
        left = _side(_until(text, node, _WHERE), _WHERE)
        return Term(text=text, match=_TESTS.get(test, Match.OTHER), left=left)
    if kind == "BoolExpr" and isinstance(node, dict) and node.get("boolop") == "NOT_EXPR":
        denied = _side(re.sub(r"(?i)\Anot\b", "", text), _WHERE)
        return Term(text=text, match=Match.FALSE if denied.column else Match.OTHER, left=denied)
    side = _side(text, _WHERE)
    return Term(text=text, match=Match.TRUE if side.column else Match.OTHER, left=side)


def _compared(text: str, node: Tree) -> Term:
    raw = text.encode()
    place = _location(node) - len(_WHERE)
    operator = _OPERATOR.match(raw, place)
    rest = raw[operator.end() if operator else place :].decode()
    left = _side(raw[:place].decode(), _WHERE)
    match node.get("kind"):
        case "AEXPR_OP":
            right = _side(rest, _WHERE)
            found = Term(text=text, match=_match(_name(node), right), left=left, right=right)
        case "AEXPR_OP_ANY":
            right = _side(re.sub(r"(?i)\A\s*any\b", "", rest), _WHERE)
            found = Term(text=text, match=Match.IN if _name(node) == "=" else Match.OTHER, left=left, right=right)
        case _:
            found = Term(text=text, match=Match.OTHER, left=left, right=_side(rest, _WHERE))
    turned = [*found.sides][1:] if not left.columns else []
    return turned[0] if turned else found


def _match(operator: str, right: Side) -> Match:
    found = _MATCHES.get(operator, Match.OTHER)
    if found is Match.LIKE and right.value is not None:
        return Match.INFIX if right.value[:1] in {"%", "_", ""} else Match.PREFIX
    return found


def _side(text: str, before: bytes) -> Side:
    """Read one side; its text is without the relation's name, so that it may stand in an index."""
    bare = _bare(text)
    parsed = _parsed(before, bare)
    tree = _inner(parsed[0], "SortBy").get("node") if isinstance(parsed, list) else parsed
    if not isinstance(tree, dict):
        return Side(text=bare)
    collated = _inner(tree, "CollateClause")
    if collated:
        named = identifier(*_strings(collated.get("collname"))).removeprefix("pg_catalog.")
        return replace(_side(_until(bare, collated, before), before), collation=named)
    found = [*_references(tree)]
    core, cast = _core(tree)
    return Side(
        text=_local(bare, [place - len(before) for (alias, _), place in found if alias]),
        columns=tuple(reference for reference, _ in found),
        column=_column(core),
        cast=cast,
        parameter=_parameter(core),
        value=_value(core),
        tree=tree,
    )


def _core(tree: Tree) -> tuple[Tree, str]:
    """Give what is left without casts; of a row its first part."""
    cast = ""
    while True:
        ((kind, node),) = tree.items()
        if not isinstance(node, dict):
            return tree, cast
        if kind == "TypeCast":
            cast, inner = cast or _last(_inner(node, "typeName").get("names")), node.get("arg")
        elif kind == "RowExpr" and isinstance(args := node.get("args"), list) and args:
            inner = args[0]
        else:
            return tree, cast
        if not isinstance(inner, dict) or len(inner) != 1:
            return tree, cast
        tree = inner


def _column(core: Tree) -> str:
    names = _strings(_inner(core, "ColumnRef").get("fields"))
    return names[-1] if names else ""


def _parameter(core: Tree) -> int:
    if "ParamRef" not in core:
        return -1
    number = _inner(core, "ParamRef").get("number", 0)
    return number if isinstance(number, int) else 0


def _value(core: Tree) -> str | None:
    constant = _inner(core, "A_Const")
    if not constant:
        return None
    return str(_inner(constant, "sval").get("sval", "")) if "sval" in constant else ""


def _references(tree: object) -> Iterator[tuple[Reference, int]]:
    """Give the columns of a tree, and where in the text each begins, from left to right."""
    found = []
    for name, node in nodes_of([tree]):
        fields = node.get("fields")
        if name == "ColumnRef" and isinstance(fields, list):
            names = _strings(fields)
            column = "*" if "A_Star" in fields[-1] else names.pop()
            found.append(((names[-1] if names else "", column), _location(node)))
    yield from sorted(found, key=lambda each: each[1])


def _local(text: str, places: Sequence[int]) -> str:
    raw = text.encode()
    for place in sorted(places, reverse=True):
        qualifier = _QUALIFIER.match(raw, place)
        if qualifier:
            raw = raw[:place] + raw[qualifier.end() :]
    return raw.decode()


def _until(text: str, node: Tree, before: bytes) -> str:
    """Give what stands before a node's own word: IS, COLLATE."""
    return text.encode()[: _location(node) - len(before)].decode()


def _parsed(before: bytes, text: str) -> Tree | list[Tree] | None:
    """Give the condition's node, or the nodes of the sort keys."""
    try:
        (statement,) = pgparse.parse(before.decode() + text)
    except (pgparse.PGQueryError, ValueError):
        return None
    select = _inner(statement["stmt"], "SelectStmt")
    tree = select.get("whereClause") or select.get("sortClause")
    return tree if isinstance(tree, dict | list) else None


def _split(text: str, word: str) -> list[str]:
    """Cut a condition at a word that stands outside of parentheses."""
    text = _bare(text)
    parts, depth, start = [], 0, 0
    for found in _TOKEN.finditer(text):
        token = found[0].lower()
        depth += (token in _OPENING) - (token in _CLOSING)
        if token == word and not depth:
            parts.append(text[start : found.start()].strip())
            start = found.end()
    return [*parts, text[start:].strip()]


def _bare(text: str) -> str:
    """Take off parentheses that hold the whole."""
    text = text.strip()
    while text.startswith("(") and _closes(text) == len(text):
        text = text[1:-1].strip()
    return text


def _closes(text: str) -> int:
    depth = 0
    for found in _TOKEN.finditer(text):
        depth += (found[0] == "(") - (found[0] == ")")
        if not depth:
            return found.end()
    return 0


def _inner(node: object, name: str) -> Tree:
    inner = node.get(name) if isinstance(node, Mapping) else None
    return inner if isinstance(inner, dict) else {}


def _strings(names: object) -> list[str]:
    found = [_inner(each, "String").get("sval") for each in names] if isinstance(names, list) else []
    return [str(each) for each in found if each is not None]


def _last(names: object) -> str:
    return (_strings(names) or [""])[-1]


def _name(node: Tree) -> str:
    return _last(node.get("name"))


def _location(node: Tree) -> int:
    place = node.get("location", 0)
    return place if isinstance(place, int) else 0
