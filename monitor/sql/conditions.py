"""Conditions as EXPLAIN deparses them, read term by term: which column or expression is matched how, with what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from monitor.sql import trees
from monitor.sql.text import identifier
from monitor.sql.trees import WHERE, Reference, Tree

DEPTH = 20
"""So deep may ANDs and ORs stand in each other."""
MOST = 200
"""So many terms beside each other are looked at."""
_TOKEN = re.compile(
    r"""E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d][\w$]*|\$\d+|\d[\w.]*|\S""",
    re.DOTALL | re.IGNORECASE,
)
_PLANS = re.compile(
    r"""(E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")"""
    r"""|\((?:hashed |alternatives: )?(?:SubPlan|InitPlan) \d+[^()]*\)(?:\.col\d+)?"""
)
_OPERATOR = re.compile(rb"\s*(?:operator\s*\([^)]*\)|[-+*/<>=~!@#%^&|`?]+)", re.IGNORECASE)
_ANY = re.compile(r"\A\s*any\b", re.IGNORECASE)
_DIRECTION = re.compile(r"(?:\s+(?:asc|desc))?(?:\s+nulls\s+(?:first|last))?\s*\Z", re.IGNORECASE)
_QUALIFIER = re.compile(rb'(?:"(?:[^"]|"")*"|[^\s."()]+)\.')
_OPENING, _CLOSING = frozenset({"(", "[", "case"}), frozenset({")", "]", "end"})


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
    return _conditions(_without_plans(text), DEPTH)


def _without_plans(text: str) -> str:
    """Write a parameter for what a subquery gives, which is written as no SQL."""
    return _PLANS.sub(lambda found: found[1] or "($0)", text)


def _conditions(text: str, depth: int) -> tuple[Condition, ...]:
    return tuple(_condition(part, depth) for part in _split(text, "and")[:MOST])


def references(text: str) -> tuple[Reference, ...]:
    """Give the columns that an expression of a plan names; none where it cannot be read."""
    tree = trees.parsed(_without_plans(text))
    return tuple(found for found, _ in trees.references(tree)) if tree else ()


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """One key that rows are sorted by."""

    key: Side
    descending: bool = False
    nulls_first: bool = False


def ordered(text: str) -> Ordered | None:
    """Read a sort key as plans show it: `t.a DESC NULLS LAST`; None where it orders by an operator of its own."""
    sort = trees.sort_key(text)
    direction, nulls = sort.get("sortby_dir"), sort.get("sortby_nulls")
    if not sort or direction == "SORTBY_USING":
        return None
    descending = direction == "SORTBY_DESC"
    first = nulls == "SORTBY_NULLS_FIRST" if nulls != "SORTBY_NULLS_DEFAULT" else descending
    return Ordered(key=_side(_DIRECTION.sub("", text)), descending=descending, nulls_first=first)


def extremes(text: str) -> Side | None:
    """Give what `min(x)` or `max(x)` is taken of; None where an output of a plan is none."""
    found = re.fullmatch(r"(?is)\s*\(?(?:partial )?(?:min|max)(\(.*\))\s*", text)
    side = _side(found[1]) if found and _closes(found[1]) == len(found[1]) else None
    return side if side and side.column else None


def _condition(text: str, depth: int) -> Condition:
    arms = _split(text, "or") if depth else []
    if 1 < len(arms) <= MOST:
        return Either(arms=tuple(_conditions(arm, depth - 1) for arm in arms))
    bare = _bare(text)
    tree = trees.parsed(bare)
    return _term(bare, tree) if tree else Term(text=bare, match=Match.OTHER, left=NOTHING)


def _term(text: str, tree: Tree) -> Term:
    """Read one comparison whose operator, by its place in the text, divides the sides."""
    ((kind, node),) = tree.items()
    if kind == "A_Expr" and isinstance(node, dict) and "lexpr" in node:
        return _compared(text, node)
    if kind in {"NullTest", "BooleanTest"} and isinstance(node, dict):
        test = str(node.get("nulltesttype") or node.get("booltesttype"))
        left = _side(_until(text, node))
        return Term(text=text, match=_TESTS.get(test, Match.OTHER), left=left)
    if kind == "BoolExpr" and isinstance(node, dict) and node.get("boolop") == "NOT_EXPR":
        denied = _side(re.sub(r"(?i)\Anot\b", "", text))
        return Term(text=text, match=Match.FALSE if denied.column else Match.OTHER, left=denied)
    side = _side(text)
    return Term(text=text, match=Match.TRUE if side.column else Match.OTHER, left=side)


def _compared(text: str, node: Tree) -> Term:
    raw = text.encode()
    place = trees.location(node) - len(WHERE)
    operator = _OPERATOR.match(raw, place)
    rest = raw[operator.end() if operator else place :].decode()
    left = _side(raw[:place].decode())
    name, right = trees.last(node.get("name")), _side(_ANY.sub("", rest))
    match node.get("kind"):
        case "AEXPR_OP":
            how = _match(name, right)
        case "AEXPR_OP_ANY" if name == "=":
            how = Match.IN
        case _:
            how = Match.OTHER
    found = Term(text=text, match=how, left=left, right=right)
    turned = [*found.sides][1:] if not left.columns else []
    return turned[0] if turned else found


def _match(operator: str, right: Side) -> Match:
    found = _MATCHES.get(operator, Match.OTHER)
    if found is Match.LIKE and right.value is not None:
        return Match.INFIX if right.value[:1] in {"%", "_", ""} else Match.PREFIX
    return found


def _side(text: str) -> Side:
    """Read one side; its text is without the relation's name, so that it may stand in an index."""
    bare = _bare(text)
    tree = trees.parsed(bare)
    if tree is None:
        return Side(text=bare)
    collated = trees.inner(tree, "CollateClause")
    if collated:
        named = identifier(*trees.strings(collated.get("collname"))).removeprefix("pg_catalog.")
        return replace(_side(_until(bare, collated)), collation=named)
    found = [*trees.references(tree)]
    core, cast = trees.core(tree)
    return Side(
        text=_local(bare, [place - len(WHERE) for (alias, _), place in found if alias]),
        columns=tuple(reference for reference, _ in found),
        column=trees.column(core),
        cast=cast,
        parameter=trees.parameter(core),
        value=trees.value(core),
        tree=tree,
    )


def _local(text: str, places: Sequence[int]) -> str:
    raw = text.encode()
    for place in sorted(places, reverse=True):
        qualifier = _QUALIFIER.match(raw, place)
        if qualifier:
            raw = raw[:place] + raw[qualifier.end() :]
    return raw.decode()


def _until(text: str, node: Tree) -> str:
    """Give what stands before a node's own word: IS, COLLATE."""
    return text.encode()[: trees.location(node) - len(WHERE)].decode()


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
