"""What a statement reads, as a SELECT that may be explained: of UPDATE and DELETE the one that finds their rows.

Nothing is deparsed: clauses are cut out of a text that is redacted already (one line, no comment, no constant), and the
outcome must parse as one SELECT that changes, locks and writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pgparse

from monitor.sql.text import nodes_of

_TOKENS = re.compile(r'"(?:[^"]|"")*"|[A-Za-z_][\w$]*|\$\d+|[()]|\S')
_PARAMETERS = re.compile(r'"(?:[^"]|"")*"|\$(\d+)')
_TYPED = re.compile(
    r"\b(interval|date|timestamptz|timestamp(?: with(?:out)? time zone)?|time(?: with(?:out)? time zone)?)\s+(\$\d+)",
    re.IGNORECASE,
)
_CHANGES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_STRENGTHS = frozenset({"update", "share", "no", "key"})

Table: TypeAlias = tuple[str | None, str]


@dataclass(frozen=True, kw_only=True)
class Reads:
    """A SELECT with the parameters $1 to `parameters`, and the names in it that could stand for somebody's own code."""

    sql: str
    parameters: int
    tables: tuple[Table, ...] = ()
    functions: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


def reads(redacted: str) -> Reads | str:
    """Give what of a statement can be explained; a text says why nothing can."""
    kind, body, found = _parsed(redacted)
    if kind is None:
        return "its text cannot be read as one statement"
    changes = [name for name, _ in found if name in _CHANGES]
    if len(changes) > (kind in _CHANGES):
        return "its WITH changes rows, and may be explained only by a role that may change them"
    if any("intoClause" in node for _, node in found):
        return "it makes a table of what it selects"
    tokens = [*_tokens(redacted)]
    sql = _as_select(kind, body, redacted, tokens)
    if sql is None:
        return _REASONS.get(kind, "it neither reads nor changes rows")
    return _checked(typed(_unlocked(sql)))


_REASONS: Mapping[str, str] = {
    "InsertStmt": "it inserts the values it is given, and searches no table for them",
    "UpdateStmt": "the rows it changes cannot be told from its text",
    "DeleteStmt": "the rows it deletes cannot be told from its text",
    "MergeStmt": "a MERGE may be explained only by a role that may change the table",
}


def _checked(sql: str) -> Reads | str:
    """Number the parameters densely, and see that it is one SELECT."""
    numbers: dict[str, int] = {}

    def dense(found: re.Match[str]) -> str:
        return f"${numbers.setdefault(found[1], len(numbers) + 1)}" if found[1] else found[0]

    sql = _PARAMETERS.sub(dense, sql)
    kind, _, found = _parsed(sql)
    names = {name for name, _ in found}
    if kind != "SelectStmt" or names & _CHANGES or any("lockingClause" in node for _, node in found):
        return "what it reads cannot be told from its text"
    common = {str(node.get("ctename")) for name, node in found if name == "CommonTableExpr"}
    tables = {table for name, node in found if (table := _table(name, node)) and (table[0] or table[1] not in common)}
    return Reads(
        sql=sql,
        parameters=len(numbers),
        tables=tuple(sorted(tables, key=str)),
        functions=tuple(sorted({_last(node.get("funcname")) for name, node in found if name == "FuncCall"})),
        operators=tuple(sorted({_last(node["name"]) for name, node in found if name == "A_Expr" and "name" in node})),
    )


def is_one(sql: str) -> bool:
    """Tell whether a text is one statement."""
    return _parsed(sql)[0] is not None


def _parsed(sql: str) -> tuple[str | None, Mapping[str, object], Sequence[tuple[str, dict[str, object]]]]:
    """Give the kind of a text's only statement, its node, and all nodes."""
    try:
        statements = pgparse.parse(sql)
    except pgparse.PGQueryError:
        return None, {}, ()
    if len(statements) != 1:
        return None, {}, ()
    ((kind, body),) = statements[0]["stmt"].items()
    return str(kind), body, [*nodes_of(statements)]


def _table(name: str, node: Mapping[str, object]) -> Table | None:
    if name not in {"RangeVar", "relation"} or "relname" not in node:
        return None
    schema = node.get("schemaname")
    return (str(schema) if schema is not None else None, str(node["relname"]))


def _last(names: object) -> str:
    last = names[-1] if isinstance(names, list) and names else {}
    return str(last.get("String", {}).get("sval", "")) if isinstance(last, dict) else ""


@dataclass(frozen=True)
class _Token:
    word: str
    depth: int
    start: int
    end: int


def _tokens(sql: str) -> Iterator[_Token]:
    depth = 0
    for found in _TOKENS.finditer(sql):
        word = found[0] if found[0].startswith('"') else found[0].lower()
        depth -= word == ")"
        yield _Token(word, depth, found.start(), found.end())
        depth += word == "("


def _as_select(kind: str, body: Mapping[str, object], sql: str, tokens: Sequence[_Token]) -> str | None:
    outer = [token for token in tokens if token.depth == 0]
    match kind:
        case "SelectStmt":
            return sql
        case "UpdateStmt":
            return _finding(sql, outer, body, begin=("update",), more=("set", "fromClause", "from"))
        case "DeleteStmt":
            return _finding(sql, outer, body, begin=("delete", "from"), more=("", "usingClause", "using"))
        case "InsertStmt":
            return _selected(sql, outer, body)
    return None


def _finding(
    sql: str, outer: Sequence[_Token], body: Mapping[str, object], *, begin: Sequence[str], more: tuple[str, str, str]
) -> str | None:
    """Put together `select from TABLE, OTHERS where CONDITION`; what stands before (WITH) stays before."""
    divider, clause, opening = more
    start = _place(outer, begin[0])
    if start is None:
        return None
    after = outer[start + len(begin) :]
    where = _place(after, "where") if "whereClause" in body else None
    others = _place(after[:where], opening) if clause in body else None
    returning = _place(after, "returning") if "returningList" in body or "returningClause" in body else None
    ends = [place for place in (_place(after, divider) if divider else None, others, where, returning) if place]
    table = _between(sql, after, 0, min(ends, default=None))
    parts = [sql[: outer[start].start], "select from ", table]
    if others is not None:
        parts += [", ", _between(sql, after, others + 1, where or returning)]
    if where is not None:
        parts += [" where ", _between(sql, after, where + 1, returning)]
    return "".join(parts)


def _selected(sql: str, outer: Sequence[_Token], body: Mapping[str, object]) -> str | None:
    """Give the SELECT whose rows are inserted."""
    inner = body.get("selectStmt")
    select = inner.get("SelectStmt", {}) if isinstance(inner, dict) else {}
    start = _place(outer, "insert")
    if not select or "valuesLists" in select or start is None:
        return None
    begins = [place for place in (_place(outer[start:], "select"), _place(outer[start:], "with")) if place]
    if not begins:
        return None
    rest = outer[start + min(begins) :]
    conflict = [at for at in range(len(rest) - 1) if (rest[at].word, rest[at + 1].word) == ("on", "conflict")]
    returning = _place(rest, "returning") if "returningList" in body or "returningClause" in body else None
    ends = [*conflict[:1], *([returning] if returning else [])]
    return sql[: outer[start].start] + _between(sql, rest, 0, min(ends, default=None))


def _place(tokens: Sequence[_Token], word: str) -> int | None:
    """Find a clause's first word; the `from` of `is distinct from` is none."""
    for at, token in enumerate(tokens):
        if token.word == word and not (word == "from" and at and tokens[at - 1].word == "distinct"):
            return at
    return None


def _between(sql: str, tokens: Sequence[_Token], first: int, end: int | None) -> str:
    """Give the text from one token up to another, or to the end."""
    begin = tokens[first].start if first < len(tokens) else len(sql)
    return sql[begin : tokens[end].start if end is not None else len(sql)].strip().rstrip(";")


_CLAUSES = ("from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for", "union", "except")


def clauses(sql: str) -> Mapping[str, str]:
    """Cut a SELECT's outermost clauses apart, by their first words: `{"from": "t", "where": "a = $1"}`."""
    outer = [token for token in _tokens(sql) if token.depth == 0]
    found = {word: place for word in _CLAUSES if (place := _place(outer, word)) is not None}
    ends = sorted(found.values())
    return {
        word: _between(sql, outer, place + 1, next((end for end in ends if end > place), None))
        for word, place in found.items()
    }


def _unlocked(sql: str) -> str:
    """Leave out FOR UPDATE and its like, at any depth: who locks rows needs the right to change them."""
    tokens = [*_tokens(sql)]
    parts, at = [], 0
    for place, token in enumerate(tokens[:-1]):
        if token.start < at or token.word != "for" or tokens[place + 1].word not in _STRENGTHS:
            continue
        ends = (
            each.start
            for each in tokens[place + 1 :]
            if each.depth < token.depth or (each.depth == token.depth and each.word in {"limit", "offset", "fetch"})
        )
        parts.append(sql[at : token.start])
        at = next(ends, len(sql))
    return "".join([*parts, sql[at:]])


def typed(sql: str) -> str:
    """Write `interval $1`, which pg_stat_statements makes of `interval '1 day'`, so that the server can read it."""
    return _TYPED.sub(r"cast(\2 as \1)", sql)
