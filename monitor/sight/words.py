"""What texts on sight of auth.* are made of: who sees what, and the shape of the functions that lend counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCHEMA = "pgarchitect"

# $1 schema, $2 table, $3 columns. Names are resolved by joins: ::regclass raises where USAGE on the schema is missing.
# Under a policy `using (true)` row_security_active stays true although every row is shown.
SIGHT = """
    select c.relkind::text as kind,
           pg_catalog.has_schema_privilege(n.oid, 'usage') as usage,
           array(select a.attname::text
                   from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid
                    and not a.attisdropped
                    and a.attname::text = any ($3::text[])
                    and not pg_catalog.has_column_privilege(c.oid, a.attnum, 'select')
                  order by a.attnum) as denied,
           pg_catalog.row_security_active(c.oid) as filtered,
           coalesce(policies.wide, false) and not coalesce(policies.narrowed, false) as shown,
           coalesce(policies.some, false) as partly,
           current_user::text as reader
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join lateral (select pg_catalog.bool_or(y.polpermissive) as some,
                                pg_catalog.bool_or(y.polpermissive and u.unlimited) as wide,
                                pg_catalog.bool_or(not y.polpermissive and not u.unlimited) as narrowed
                           from pg_catalog.pg_policy y
                          cross join lateral (select coalesce(pg_catalog.pg_get_expr(y.polqual, y.polrelid) = 'true',
                                                              false) as unlimited) u
                          where y.polrelid = c.oid
                            and y.polcmd in ('r', '*')
                            and exists (select
                                          from pg_catalog.unnest(y.polroles) as listed (role)
                                         where listed.role = 0 or pg_catalog.pg_has_role(listed.role, 'usage'))
                        ) policies on true
     where n.nspname = $1::text
       and c.relname = $2::text
"""

# What uuid_in accepts: hyphens after any four digits, braces in pairs, upper and lower case.
UUID = r"^(([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}|\{([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\})$"


def dollar_quoted(body: str) -> str:
    """Quote a body of code by a mark that no name in it can end."""
    mark = "pgarchitect"
    while f"${mark}" in body:
        mark += "_"
    return f"${mark}${body}${mark}$"


def changed(of: str) -> str:
    """Write what changes with any row of a relation `of` pg_class: TRUNCATE counts no rows, but changes the file."""
    counters = ", ".join(
        f"pg_catalog.pg_stat_get_tuples_{what}({of}.oid)" for what in ("inserted", "updated", "deleted")
    )
    return f"pg_catalog.concat_ws(':', {of}.oid, {of}.relfilenode, {counters})"


_GUARD = "if $1 is distinct from {schema} then raise 'pgarchitect: made for one auth schema only'; end if;"
_CONFINED = (
    "if ((in_schema, in_table, in_column) in ({links})) is not true "
    "then raise 'pgarchitect: keys of this link are not lent'; end if;"
)
_UNWRITTEN = "if statement is null then raise 'pgarchitect: no such table, or its column holds no uuid'; end if;"


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function that lends counts; its arguments stand in the order of its text's parameters.

    `write` is the text by which the server writes the statement, so that it alone quotes names: of the function's first
    arguments, the auth schema before all. `using` are those that the statement itself takes. Who may read the tables
    runs the same texts without the function.
    """

    name: str
    arguments: str
    columns: str
    write: str = ""
    using: str = ""
    plain: str = ""
    """The whole statement instead, where the server need not write it."""
    confined: bool = False
    """It gives more than counts, and so of the links alone that are named when it is lent: `{links}` in its body."""

    @property
    def body(self) -> str:
        """Give what stands between begin and end in plpgsql; `{schema}` in it becomes the auth schema as a literal."""
        if self.plain:
            return f"return query {self.plain};"
        using = f" using {self.using}" if self.using else ""
        guard = f"{_GUARD} {_CONFINED}" if self.confined else _GUARD
        return f"{guard} statement := ({self.write}); {_UNWRITTEN} return query execute statement{using};"

    @property
    def types(self) -> str:
        """Give its arguments' types: `in_auth text, in_rows integer` is `text, integer`."""
        return ", ".join(argument.split(None, 1)[1] for argument in self.arguments.split(", "))

    @property
    def signature(self) -> str:
        """Give its name and its arguments' types, as `drop function` wants them."""
        return f"{SCHEMA}.{self.name}({self.types})"

    @property
    def call(self) -> str:
        """Give the statement that asks it, with one parameter an argument."""
        parameters = ", ".join(f"${number}" for number, _ in enumerate(self.arguments.split(", "), start=1))
        return f"select * from {SCHEMA}.{self.name}({parameters})"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The functions one probe needs, and the columns of GoTrue's tables it reads where its own role may."""

    functions: Sequence[Function]
    columns: Mapping[str, Sequence[str]]
