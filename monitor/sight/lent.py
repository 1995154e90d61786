"""Sight of auth.* and of statistics: the functions that lend counts, by groups, and the SQL that makes and drops them.

The same texts are run directly by the probes and inside the functions printed by `monitor grants --auth functions`.
A probe's texts and functions stand in `sight_<probe>`; what must be told apart between two looks travels as a hash.
"""

import re
from collections.abc import Mapping, Sequence

from monitor.sight.accounts import ACCOUNTS
from monitor.sight.keys import KEYS
from monitor.sight.keys import ROWS as KEYS_OF_ROWS
from monitor.sight.keys import USERS as KEYS_OF_USERS
from monitor.sight.links import LINKS
from monitor.sight.newest import NEWEST
from monitor.sight.sessions import SESSIONS
from monitor.sight.shape import COLUMN_STATISTICS, GROUP_STATISTICS, SHAPE
from monitor.sight.slices import SLICES
from monitor.sight.states import STATES
from monitor.sight.structure import STRUCTURE
from monitor.sight.words import SCHEMA, SIGHT, UUID, Function, Group, changed, dollar_quoted
from monitor.sql.text import identifier, literal

__all__ = [
    "ACCOUNTS", "COLUMN_STATISTICS", "FUNCTIONS", "GROUP_STATISTICS", "KEYS", "KEYS_OF_ROWS", "KEYS_OF_USERS",
    "LENT", "LINKS", "NEWEST", "SCHEMA", "SECRETIVE", "SEE", "SESSIONS", "SHAPE", "SIGHT", "SLICES", "STATES",
    "STRUCTURE", "UUID", "Function", "Group", "changed", "dollar_quoted", "lend", "lend_keys", "lent", "needed",
    "take_back",
]  # fmt: skip

GROUPS = (LINKS, STRUCTURE, STATES, ACCOUNTS, SESSIONS, SLICES, NEWEST)

SEE = Function(
    name="auth_sight",
    arguments="in_schema text, in_table text, in_columns text[]",
    columns="kind text, usage boolean, denied text[], filtered boolean, shown boolean, partly boolean, reader text",
    plain=SIGHT,
)

FUNCTIONS = (SEE, *(function for group in GROUPS for function in group.functions))

SECRETIVE = (SEE, *ACCOUNTS.functions)
"""Those that count what no column should be granted for: NULLs among secrets."""

# The functions we may run. row_security=off inside them turns blindness into an error.
LENT = """
    select coalesce(pg_catalog.array_agg(p.proname::text || '/' || p.pronargs), '{}') as lent
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'pgarchitect'
       and p.prosecdef
       and pg_catalog.has_schema_privilege(n.oid, 'usage')
       and pg_catalog.has_function_privilege(p.oid, 'execute')
"""


def lent(functions: Sequence[Function], ours: object, see: Sequence[Function] = (SEE,)) -> bool:
    """Tell whether all these functions, and the one that tells what they see, are among those that LENT gave."""
    known = frozenset(ours) if isinstance(ours, list) else frozenset()
    return all(f"{each.name}/{each.arguments.count(',') + 1}" in known for each in (*see, *functions))


def needed() -> Mapping[str, Sequence[str]]:
    """Give the columns of GoTrue's tables that are read where our own role may, by table."""
    wanted: dict[str, dict[str, None]] = {}
    for group in GROUPS:
        for table, columns in group.columns.items():
            wanted.setdefault(table, {}).update(dict.fromkeys(columns))
    return {table: tuple(columns) for table, columns in wanted.items()}


def lend(role: str, schema: str, functions: Sequence[Function] = FUNCTIONS) -> list[str]:
    """Give the statements that lend `role` counts about schema `schema` through functions of whoever runs them.

    Roles to which they are lent already keep them.
    """
    return _lend(role, functions, {"schema": literal(schema)})


def _lend(role: str, functions: Sequence[Function], known: Mapping[str, str]) -> list[str]:
    statements = [f"create schema if not exists {SCHEMA}", f"revoke all on schema {SCHEMA} from public"]
    for function in functions:
        statements += [
            _reshaped(function),
            _created(function, known),
            f"alter function {function.signature} owner to current_user",
            f"revoke all on function {function.signature} from public",
            f"grant execute on function {function.signature} to {identifier(role)}",
        ]
    return [*statements, f"grant usage on schema {SCHEMA} to {identifier(role)}"]


def lend_keys(role: str, schema: str, links: Sequence[tuple[str, str, str]]) -> list[str]:
    """Give the statements that lend `role`, beside `lend`, keys of rows without counterpart: of these links alone."""
    if not links:
        return []
    return _lend(role, KEYS, {"schema": literal(schema), "links": _listed(links)})


def take_back(functions: Sequence[Function] = (*FUNCTIONS, *KEYS)) -> list[str]:
    """Give the statements that undo `lend` and `lend_keys` for every role; an empty schema goes, too."""
    drops = [f"drop function if exists {function.signature}" for function in functions]
    return [*drops, _EMPTIED]


_EMPTIED = f"""do $pgarchitect$
begin
    if not exists (select
                     from pg_catalog.pg_proc p
                     join pg_catalog.pg_namespace n on n.oid = p.pronamespace
                    where n.nspname = {literal(SCHEMA)}) then
        drop schema if exists {SCHEMA} restrict;
    end if;
end
$pgarchitect$"""


def _listed(links: Sequence[tuple[str, str, str]]) -> str:
    return ", ".join(f"({', '.join(map(literal, place))})" for place in sorted(set(links)))


def _filled(body: str, known: Mapping[str, str]) -> str:
    """Put in what is known when a function is lent; in one go, for a name may look like a place to be filled."""
    return re.sub(r"\{(schema|links)\}", lambda place: known[place[1]], body)


def _reshaped(function: Function) -> str:
    """Drop what an older version of ours left, where it gives other columns: a replacement may not."""
    return (
        "do $pgarchitect$\nbegin\n"
        f"    if pg_catalog.pg_get_function_result(pg_catalog.to_regprocedure({literal(function.signature)}))\n"
        f"       <> {literal(f'TABLE({function.columns})')} then\n"
        f"        drop function {function.signature};\n"
        "    end if;\nend\n$pgarchitect$"
    )


def _created(function: Function, known: Mapping[str, str]) -> str:
    """Replaced rather than made anew, so that other roles keep it; its owner, who may be blind, is changed after."""
    body = f"\n#variable_conflict use_column\ndeclare statement text;\nbegin\n{_filled(function.body, known)}\nend\n"
    return (
        f"create or replace function {SCHEMA}.{function.name}({function.arguments})\n"
        f"returns table ({function.columns})\n"
        "language plpgsql stable security definer\n"
        "set search_path = pg_catalog, pg_temp set row_security = off\n"
        f"as {dollar_quoted(body)}"
    )
