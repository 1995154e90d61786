"""Expressions that an index may hold: those known to give the same for the same column, for ever, and of which type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.advisors.index.types import COMPARABLE, INTEGERS, NUMBERS, TEXTS, base
from monitor.shape import Shape, Table
from monitor.sql.trees import Tree

_TEXT, _NUMBER, _INTEGER = "text", "number", "int4"
# What each takes, and what it gives; "number" stands for any, and comes back as what was given.
_FUNCTIONS: Mapping[str, Sequence[tuple[tuple[str, ...], str]]] = {
    **dict.fromkeys(("lower", "upper", "initcap", "btrim", "ltrim", "rtrim", "reverse", "md5"), (((_TEXT,), _TEXT),)),
    **dict.fromkeys(("length", "char_length", "character_length"), (((_TEXT,), _INTEGER),)),
    **dict.fromkeys(("left", "right"), (((_TEXT, _INTEGER), _TEXT),)),
    **dict.fromkeys(("substr", "substring"), (((_TEXT, _INTEGER), _TEXT), ((_TEXT, _INTEGER, _INTEGER), _TEXT))),
    "replace": [((_TEXT, _TEXT, _TEXT), _TEXT)],
    "split_part": [((_TEXT, _TEXT, _INTEGER), _TEXT)],
    **dict.fromkeys(("abs", "floor", "ceil"), (((_NUMBER,), _NUMBER),)),
    "date_trunc": [((_TEXT, "timestamp"), "timestamp")],
    "date_part": [((_TEXT, "timestamp"), "float8"), ((_TEXT, "date"), "float8")],
    "extract": [((_TEXT, "timestamp"), "numeric"), ((_TEXT, "date"), "numeric")],
    "date": [(("timestamp",), "date")],
    "timezone": [((_TEXT, "timestamptz"), "timestamp"), ((_TEXT, "timestamp"), "timestamptz")],
    "to_tsvector": [(("regconfig", _TEXT), "tsvector"), (("regconfig", "jsonb"), "tsvector")],
    "jsonb_array_length": [(("jsonb",), _INTEGER)],
    "host": [(("inet",), _TEXT)],
}
_OPERATORS: Mapping[tuple[str, str], str] = {
    ("->", "jsonb"): "jsonb",
    ("->", "json"): "json",
    ("->>", "jsonb"): _TEXT,
    ("->>", "json"): _TEXT,
    ("#>", "jsonb"): "jsonb",
    ("#>>", "jsonb"): _TEXT,
    ("||", _TEXT): _TEXT,
    **{(sign, kind): kind for sign in "+-*" for kind in NUMBERS},
}
_CASTS: Mapping[str, frozenset[str]] = {
    # What each type can be made into without asking a setting of the session; what is missing may ask one.
    **dict.fromkeys(INTEGERS, NUMBERS | {_TEXT, "varchar"}),
    "numeric": frozenset({*NUMBERS, _TEXT, "varchar"}),
    _TEXT: NUMBERS - {"float4", "float8"} | {_TEXT, "varchar", "uuid", "bool"},
    "bpchar": frozenset({_TEXT, "varchar"}),
    "uuid": frozenset({_TEXT, "varchar"}),
    "bool": frozenset({_TEXT, "varchar", _INTEGER}),
    "timestamp": frozenset({"date"}),
    "jsonb": NUMBERS | {"bool"},
}


def typed(tree: Tree, table: Table, shape: Shape) -> str | None:
    """Give the type of an expression over one table; None where it is not known to be immutable."""
    if len(tree) != 1:
        return None
    ((kind, node),) = tree.items()
    if not isinstance(node, Mapping):
        return None
    match kind:
        case "ColumnRef":
            column = table.by_name.get(_names(node.get("fields"))[-1] if _names(node.get("fields")) else "")
            return _plain(base(column.type, shape.types)) if column else None
        case "A_Const":
            return _INTEGER if "ival" in node else _TEXT if "sval" in node else None
        case "TypeCast":
            return _cast(node, table, shape)
        case "FuncCall":
            return _called(node, table, shape)
        case "CoalesceExpr":
            types = {typed(each, table, shape) for each in _list(node.get("args"))}
            return types.pop() if len(types) == 1 else None
        case "A_Expr" if node.get("kind") == "AEXPR_OP":
            left, right = (typed(_tree(node.get(side)), table, shape) for side in ("lexpr", "rexpr"))
            sign = (_names(node.get("name")) or [""])[-1]
            # Text and a number are put together by how the session writes numbers.
            able = right is not None and (sign != "||" or right == _TEXT)
            return _OPERATORS.get((sign, left or "")) if able else None
    return None


def _cast(node: Tree, table: Table, shape: Shape) -> str | None:
    name = _names(_tree(node.get("typeName")).get("names"))
    given = typed(_tree(node.get("arg")), table, shape)
    if not name or given is None or _tree(node.get("typeName")).get("arrayBounds"):
        return None
    wanted = base(name[-1], shape.types)
    if "A_Const" in _tree(node.get("arg")):
        return _plain(wanted) if wanted in {*NUMBERS, *TEXTS, "regconfig", "interval", "uuid"} else None
    return _plain(wanted) if _plain(wanted) == given or wanted in _CASTS.get(given, frozenset()) else None


def _called(node: Tree, table: Table, shape: Shape) -> str | None:
    names = _names(node.get("funcname"))
    given = [typed(each, table, shape) for each in _list(node.get("args"))]
    plain = node.keys() <= {"funcname", "args", "funcformat", "location"}
    if not names or not plain or None in given:
        return None
    if len(names) > 1 and names[0] != "pg_catalog":
        return _own(names, shape)
    for takes, gives in _FUNCTIONS.get(names[-1], ()):
        if len(takes) == len(given) and all(_fits(want, have) for want, have in zip(takes, given, strict=True)):
            return str(given[0]) if gives == _NUMBER else gives
    return _own(names, shape)


def _own(names: Sequence[str], shape: Shape) -> str | None:
    """Give what the database's own function returns, where there is but one of the name, and it is immutable."""
    schema = names[0] if len(names) > 1 else None
    found = [own for own in shape.functions if own.name == names[-1] and schema in {None, own.schema}]
    sure = len(found) == 1 and found[0].volatility == "i" and not found[0].returns_set
    type_ = _plain(base(found[0].returns, shape.types)) if sure else ""
    return type_ if type_ in COMPARABLE or type_ in {"jsonb", "tsvector"} else None


def _fits(want: str, have: str | None) -> bool:
    return want == have or (want == _NUMBER and have in NUMBERS)


def _plain(name: str) -> str:
    return _TEXT if name in TEXTS else name


def _tree(node: object) -> Tree:
    return node if isinstance(node, Mapping) else {}


def _list(nodes: object) -> Sequence[Tree]:
    return [each for each in nodes if isinstance(each, Mapping)] if isinstance(nodes, list) else []


def _names(nodes: object) -> list[str]:
    return [str(_tree(each.get("String")).get("sval", "")) for each in _list(nodes)]
