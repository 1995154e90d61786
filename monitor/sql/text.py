"""SQL as text: parse, fingerprint, classify and quote. The parser is libpg_query, through pgparse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import pgparse

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_RESERVED = frozenset(
    # Words that need quotes as a column's or table's name.
    "all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create "  # noqa: SIM905 - a wall of quotes reads worse
    "current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc "
    "distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral "
    "leading limit localtime localtimestamp not null offset on only or order placing primary references returning "
    "select session_user some symmetric system_user table then to trailing true union unique user using variadic when "
    "where window with authorization binary collation concurrently cross current_schema freeze full ilike inner is "
    "isnull join left like natural notnull outer overlaps right similar tablesample verbose".split()
)
_AGGREGATES = frozenset(
    "count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or "  # noqa: SIM905 - a wall of quotes reads worse
    "every bit_and bit_or bit_xor corr covar_pop covar_samp regr_slope regr_intercept stddev stddev_pop stddev_samp "
    "variance var_pop var_samp xmlagg range_agg mode percentile_cont percentile_disc any_value".split()
)
_CHEAP = frozenset(
    # Functions of the server's, and of extensions everybody has, that neither wait nor read tables; calls of others may
    # do anything. What is missing here only makes its statement a complex one. With pg_sleep people try a monitor.
    "abs array_append array_cat array_length array_position array_prepend array_remove array_to_json array_to_string "  # noqa: SIM905 - a wall of quotes reads worse
    "ascii bit_length btrim cardinality cbrt ceil ceiling char_length character_length chr clock_timestamp concat "
    "concat_ws convert_from convert_to current_database current_schema current_setting currval date_bin date_part "
    "date_trunc decode digest div encode exp extract floor format gen_random_bytes gen_random_uuid host initcap "
    "isempty isfinite json_array_length json_build_array json_build_object json_extract_path json_extract_path_text "
    "json_strip_nulls json_typeof jsonb_array_length jsonb_build_array jsonb_build_object jsonb_exists "
    "jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_set jsonb_strip_nulls jsonb_typeof lastval left "
    "length like like_escape ln log log10 lower lower_inc lpad ltrim make_date make_interval make_time make_timestamp "
    "make_timestamptz masklen md5 mod network nextval notlike now num_nonnulls num_nulls numrange octet_length overlay "
    "pg_backend_pid pg_sleep pg_typeof pi plainto_tsquery position pow power quote_ident quote_literal "
    "quote_nullable radians random regexp_like regexp_match regexp_replace regexp_substr repeat replace reverse right "
    "round row_to_json rpad rtrim scale set_config setseed setval setweight sha256 sha512 sign similarity "
    "similar_to_escape split_part sqrt starts_with statement_timestamp strip strpos substr substring "
    "string_to_array timeofday timezone to_char to_date to_hex to_json to_jsonb to_number to_timestamp to_tsquery "
    "to_tsvector transaction_timestamp translate trim trunc ts_headline ts_rank ts_rank_cd tsrange tstzrange unaccent "
    "upper upper_inc uuid_generate_v1 uuid_generate_v4 uuidv4 uuidv7 websearch_to_tsquery width_bucket word_similarity "
    "int4range int8range daterange age array_fill array_replace phraseto_tsquery justify_days justify_hours "
    "justify_interval degrees sin cos tan acos asin atan atan2".split()
)
_CHEAP_ELSEWHERE = frozenset({"auth.uid", "auth.role", "auth.jwt", "auth.email"})
"""Supabase's: they read a setting of the session, and stand in every second statement there."""
_UTILITY_OBJECTS = frozenset(
    "aggregate cast collation database domain event extension foreign function group index language materialized "  # noqa: SIM905 - a wall of quotes reads worse
    "operator policy procedure publication role routine rule schema sequence server subscription system table "
    "tablespace text transaction trigger type user view".split()
)
_LEXEMES = re.compile(
    r'"(?:[^"]|"")*"' r"|--[^\n]*" r"|/\*" r"|(?P<constant>'|\$(?:[A-Za-z_]\w*)?\$|(?<![\w$.])\d[\d_.]{4,})" r"|\s+"
)
_COMMENT_MARKS = re.compile(r"/\*|\*/")
_CHANGES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_STATEMENTS = _CHANGES | {"SelectStmt"}
_JOINS = frozenset({"JoinExpr", "SubLink", "RangeSubselect", "RangeFunction", "WithClause", "WindowDef"})


class StatementKind(StrEnum):
    """Simple: one table, no join, aggregate or set operation. Utility: neither reads nor changes rows.

    A call of a function that is not known to be cheap is complex: what happens in it is not to be seen from here.
    """

    SIMPLE = "simple"
    COMPLEX = "complex"
    UTILITY = "utility"


@dataclass(frozen=True)
class Statement:
    """What the parse tree says of one statement; `tables` are (schema or None, name), sorted.

    `filtered`: it asks for a part of what it reads, by WHERE or LIMIT. `selects`: it changes no rows. `aggregates`: it
    returns few rows for many by design (an aggregate, GROUP BY, DISTINCT). `matches`: it compares by `=` or IN with
    values.
    """

    kind: StatementKind
    fingerprint: str
    tables: tuple[tuple[str | None, str], ...]
    filtered: bool = False
    selects: bool = False
    aggregates: bool = False
    matches: bool = False


def read_statement(sql: str) -> Statement | None:
    """Parse and classify; None when libpg_query cannot read it (a text that was cut, an extension's grammar)."""
    try:
        tree = pgparse.parse(sql)
        print_ = pgparse.fingerprint(sql)
    except pgparse.PGQueryError:
        return None
    nodes = [*nodes_of(tree)]
    tables = tuple(sorted(set(_tables(nodes)), key=lambda name: (name[0] or "", name[1])))
    kind = _kind(nodes)
    aggregates = any(_aggregates(name, node) for name, node in nodes)
    matches = any(name == "A_Expr" and _matches(node) for name, node in nodes)
    return Statement(kind, print_, tables, _filtered(nodes), _selects(kind, nodes), aggregates, matches)


def redact(sql: str, kind: StatementKind | None = None) -> str:
    """Give a statement's text on one line without any constant or comment; "" when that cannot be promised.

    Of utility statements, whose grammar may hold clear passwords, only the leading words are given: `create role ...`.
    `kind` spares finding out, where it is known.
    """
    try:
        kind = kind or _kind([*nodes_of(pgparse.parse(sql))])
        bare = pgparse.normalize(sql)
    except pgparse.PGQueryError:
        return ""
    if kind is StatementKind.UTILITY:
        return _leading_words(sql)
    return _one_line(bare)


def _leading_words(sql: str) -> str:
    words = _one_line(sql, constants=True).lower().split(" ", 2)
    kept = [word for word in words[:1] if word.isalpha()] + [word for word in words[1:2] if word in _UTILITY_OBJECTS]
    return " ".join([*kept, "..."]) if kept else ""


def _one_line(sql: str, *, constants: bool = False) -> str:
    """Drop comments and fold white space; "" at a string, or a number of five digits, where none may be left."""
    parts: list[str] = []
    at = 0
    while (found := _LEXEMES.search(sql, at)) is not None:
        if found["constant"] and not constants:
            return ""
        parts.append(sql[at : found.start()])
        parts.append(found[0] if found[0].startswith('"') or found["constant"] else " ")
        at = _end_of_comment(sql, found.end()) if found[0] == "/*" else found.end()
    return " ".join("".join([*parts, sql[at:]]).split())


def _end_of_comment(sql: str, at: int) -> int:
    """Give where a comment ends whose opening mark ends at `at`; comments nest."""
    depth = 1
    while depth and (mark := _COMMENT_MARKS.search(sql, at)) is not None:
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return len(sql) if depth else at


def identifier(*parts: str) -> str:
    """Quote a dotted name where it needs it: `public."Order"`."""
    return ".".join(
        part if _PLAIN.match(part) and part not in _RESERVED else '"' + part.replace('"', '""') + '"' for part in parts
    )


def literal(text: str) -> str:
    """Quote a text as a string constant that is safe whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


Nodes: TypeAlias = Sequence[tuple[str, dict[str, object]]]


def nodes_of(tree: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Walk every named node of a parse tree, without recursion: deep ORMs' trees would exhaust the stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            for name, value in node.items():
                if isinstance(value, dict):
                    yield name, value
                waiting.append(value)


def _kind(nodes: Nodes) -> StatementKind:
    statements = [name for name, _ in nodes if name.endswith("Stmt") and name[0].isupper()]
    if not any(name in _STATEMENTS for name in statements) or any(name not in _STATEMENTS for name in statements):
        return StatementKind.UTILITY
    tables = sum(1 for name, node in nodes if name in {"RangeVar", "relation"} and "relname" in node)
    signs = (_aggregates, _calls)
    busy = any(name in _JOINS or _combines(node) or any(sign(name, node) for sign in signs) for name, node in nodes)
    return StatementKind.COMPLEX if busy or tables > 1 else StatementKind.SIMPLE


def _selects(kind: StatementKind, nodes: Nodes) -> bool:
    return kind is not StatementKind.UTILITY and not any(name in _CHANGES for name, _ in nodes)


def _filtered(nodes: Nodes) -> bool:
    clauses = ("whereClause", "limitCount", "where_clause")
    return any(name in clauses or any(clause in node for clause in clauses) for name, node in nodes)


def _matches(node: dict[str, object]) -> bool:
    """Tell `column = value`, `= any (values)` and `in (values)` from a join's condition."""
    sides = [side for name in ("lexpr", "rexpr") if isinstance(side := node.get(name), dict)]
    given = any(side.keys() & {"ParamRef", "A_Const", "TypeCast", "List"} for side in sides)
    return node.get("name") == [{"String": {"sval": "="}}] and given


def _aggregates(name: str, node: dict[str, object]) -> bool:
    """Tell an aggregate call, GROUP BY, DISTINCT or HAVING."""
    if name == "FuncCall":
        flags = ("agg_star", "agg_distinct", "agg_within_group", "agg_filter", "agg_order", "over")
        return any(node.get(flag) for flag in flags) or not _AGGREGATES.isdisjoint(_function(node)[-1:])
    return any(node.get(clause) for clause in ("groupClause", "havingClause", "distinctClause"))


def _combines(node: dict[str, object]) -> bool:
    return str(node.get("op", "SETOP_NONE")).startswith("SETOP_") and node.get("op", "SETOP_NONE") != "SETOP_NONE"


def _calls(name: str, node: dict[str, object]) -> bool:
    """Tell a call of a function that may do anything: one of no cheap name, or of a cheap one in somebody's schema."""
    dotted = ".".join(_function(node)) if name == "FuncCall" else ""
    return bool(dotted) and dotted.removeprefix("pg_catalog.") not in _CHEAP and dotted not in _CHEAP_ELSEWHERE


def _function(node: dict[str, object]) -> Sequence[str]:
    """Give a called function's name, after its schema if there is one."""
    names = node.get("funcname")
    return [str(each.get("String", {}).get("sval", "")) for each in names] if isinstance(names, list) else []


def _tables(nodes: Nodes) -> Iterator[tuple[str | None, str]]:
    common = {str(node.get("ctename")) for name, node in nodes if name == "CommonTableExpr"}
    for name, node in nodes:
        if name in {"RangeVar", "relation"} and "relname" in node:
            schema, table = node.get("schemaname"), str(node["relname"])
            if schema is not None or table not in common:
                yield (str(schema) if schema is not None else None, table)
