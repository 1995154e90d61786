"""Parse trees of expressions, as libpg_query gives them in JSON: their parts, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pgparse

from monitor.sql.text import nodes_of

Reference: TypeAlias = tuple[str, str]
"""An alias and a column, unquoted; the column is "*" of a whole row, the alias "" where there is none."""
Tree: TypeAlias = Mapping[str, object]

WHERE = b"select 1 where "
"""What a condition is read behind; the parser's places count its bytes."""
DEEP = 200
"""Levels of nodes and lists that are looked at: some sixty brackets in each other."""
_ORDER = "select 1 order by "
_QUALIFIED = frozenset({"funcname", "names"})
_MEANINGLESS = frozenset({"location", "funcformat", "rexpr_list_start", "rexpr_list_end"})


def parsed(expression: str) -> Tree | None:
    """Read an expression; None where it cannot be read."""
    tree = _clause(WHERE.decode() + expression, "whereClause")
    return tree if isinstance(tree, dict) and len(tree) == 1 else None


def sort_key(text: str) -> Tree:
    """Read what stands behind ORDER BY; nothing where that is not one key."""
    keys = _clause(_ORDER + text, "sortClause")
    return inner(keys[0], "SortBy") if isinstance(keys, list) and len(keys) == 1 else {}


def _clause(sql: str, name: str) -> object:
    try:
        (statement,) = pgparse.parse(sql)
    except (pgparse.PGQueryError, ValueError, RecursionError):
        return None
    clause = inner(statement["stmt"], "SelectStmt").get(name)
    return None if len(sql) > DEEP and _is_deep(clause) else clause


def _is_deep(tree: object) -> bool:
    """Tell a tree that would exhaust the stack of who walks it by recursion."""
    level, depth = [tree], 0
    while level and depth < DEEP:
        level, depth = [below for node in level for below in _children(node)], depth + 1
    return bool(level)


def _children(node: object) -> list[object]:
    return [*node.values()] if isinstance(node, dict) else _list(node)


def canonical(expression: str) -> str:
    """Give an expression as a text that is the same however it is spaced, put in parentheses or qualified."""
    tree = parsed(expression) if expression else None
    return repr(_plain(tree)) if tree else " ".join(expression.split())


def _plain(tree: object) -> object:
    """Leave out of a tree what does not change its meaning."""
    if isinstance(tree, list):
        return [_plain(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: strings(node)[-1:] if name in _QUALIFIED else _plain(node)
        for name, node in sorted(tree.items())
        if name not in _MEANINGLESS
    }


def function(tree: Tree) -> str:
    """Give the name of the function that an expression is a call of, without its schema; "" where it is none."""
    return last(inner(tree, "FuncCall").get("funcname"))


def operator(tree: Tree) -> str:
    """Give the operator that an expression is made with; "" where it is made otherwise."""
    return last(inner(tree, "A_Expr").get("name"))


def denies_list(sql: str) -> bool:
    """Tell whether a statement asks for NOT IN (SELECT …)."""
    denials = [node for name, node in _nodes(sql) if name == "BoolExpr" and node.get("boolop") == "NOT_EXPR"]
    lists = [inner(each, "SubLink") for node in denials for each in _list(node.get("args"))]
    return any(each.get("subLinkType") == "ANY_SUBLINK" and not each.get("operName") for each in lists)


def has_offset(sql: str) -> bool:
    """Tell whether a statement itself skips rows."""
    select = next((node for name, node in _nodes(sql) if name == "SelectStmt"), {})
    return "limitOffset" in select


def _nodes(sql: str) -> list[tuple[str, dict[str, object]]]:
    try:
        return [*nodes_of(pgparse.parse(sql))]
    except (pgparse.PGQueryError, RecursionError):
        return []


def core(tree: Tree) -> tuple[Tree, str]:
    """Give what is left without casts, and the name of the outermost type; of a row its first part."""
    cast = ""
    while len(tree) == 1:
        ((kind, node),) = tree.items()
        below = _below(kind, node)
        if below is None:
            break
        cast = cast or last(inner(inner(tree, "TypeCast"), "typeName").get("names"))
        tree = below
    return tree, cast


def _below(kind: str, node: object) -> Tree | None:
    if not isinstance(node, dict) or kind not in {"TypeCast", "RowExpr"}:
        return None
    below = node.get("arg") if kind == "TypeCast" else next(iter(_list(node.get("args"))), None)
    return below if isinstance(below, dict) and len(below) == 1 else None


def column(tree: Tree) -> str:
    """Give the column that a tree is; "" where it is something else."""
    names = strings(inner(tree, "ColumnRef").get("fields"))
    return names[-1] if names else ""


def parameter(tree: Tree) -> int:
    """Give the number of the parameter that a tree is; -1 where it is something else."""
    number = inner(tree, "ParamRef").get("number", 0)
    return number if "ParamRef" in tree and isinstance(number, int) else -1


def value(tree: Tree) -> str | None:
    """Give the text constant that a tree is; "" of another constant, None where it is something else."""
    constant = inner(tree, "A_Const")
    return str(inner(constant, "sval").get("sval", "")) if constant else None


def joined(tree: Tree) -> list[int | str | None]:
    """Give the parts that `||` puts together: parameters by their number, constants, None for anything else."""
    bare, _ = core(tree)
    if operator(bare) == "||":
        sides = [inner(bare, "A_Expr").get(side) for side in ("lexpr", "rexpr")]
        return [part for side in sides if isinstance(side, dict) for part in joined(side)]
    number = parameter(bare)
    return [number if number > 0 else value(bare)]


def references(tree: object) -> Iterator[tuple[Reference, int]]:
    """Give the columns of a tree, and where in the text each begins, from left to right."""
    found = []
    for name, node in nodes_of([tree]):
        fields = node.get("fields")
        if name == "ColumnRef" and isinstance(fields, list):
            names = strings(fields)
            own = "*" if "A_Star" in fields[-1] else names.pop()
            found.append(((names[-1] if names else "", own), location(node)))
    yield from sorted(found, key=lambda each: each[1])


def inner(node: object, name: str) -> Tree:
    """Give the node of a name within another; an empty one where there is none."""
    found = node.get(name) if isinstance(node, Mapping) else None
    return found if isinstance(found, dict) else {}


def strings(names: object) -> list[str]:
    """Give the parts of a dotted name."""
    found = [inner(each, "String").get("sval") for each in names] if isinstance(names, list) else []
    return [str(each) for each in found if each is not None]


def last(names: object) -> str:
    """Give a dotted name without its schema."""
    return (strings(names) or [""])[-1]


def location(node: Tree) -> int:
    """Give the byte of the text where a node's own word stands."""
    place = node.get("location", 0)
    return place if isinstance(place, int) else 0


def _list(nodes: object) -> list[object]:
    return nodes if isinstance(nodes, list) else []
