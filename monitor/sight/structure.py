"""Sight of GoTrue's schema level, for probe auth_structure: the newest entry of its table of migrations."""

from monitor.sight.words import Function, Group

# The server writes the statement, so that it alone quotes the name. Asked only where the table has the column.
_WRITE = """
    select pg_catalog.format(
               $level$select max(version::int8) from %I.schema_migrations where version ~ '^[0-9]{1,18}$'$level$,
               $1::text) as statement
"""

LEVEL = Function(
    name="auth_level",
    arguments="in_auth text",
    columns="max bigint",
    write=_WRITE,
)

STRUCTURE = Group(functions=(LEVEL,), columns={"schema_migrations": ("version",)})
